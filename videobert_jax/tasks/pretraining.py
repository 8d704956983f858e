"""Pretraining: masked words, masked visual words, and text-video alignment (VideoBERT, section 3.3)."""

import dataclasses

from videobert_jax.config import Config, ModelConfig, PretrainingConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.errors import ConfigError
from videobert_jax.model.embeddings import TOKEN_TABLE
from videobert_jax.model.trunk import Trunk
from videobert_jax.model.videobert import VideoBert
from videobert_jax.model.visual_input import TABLES
from videobert_jax.objectives.pretraining import Pretraining
from videobert_jax.tasks.task import Frozen, Task
from videobert_jax.tokens import TokenSpace


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config."""
    section = config.task
    assert isinstance(section, PretrainingConfig)
    network = VideoBert(config.model, tokens)
    return Task(
        network=network,
        objective=Pretraining(tokens.text_size, section.weights),
        row=PretrainingRows(as_read(network), section, config.data),
        group=section.chunks_per_row,
        examples=Prepared.source,
        frozen=frozen_tokens(config.model, tokens),
    )


def as_read(network: Trunk) -> TokenSpace:
    """The joint vocabulary with only those details of clips that the network reads: rows hold no others.

    Raises ConfigError if the network reads more than the records hold.
    """
    wanted, tokens = network.config.visual_input, network.tokens
    feature_size = tokens.feature_size if "clip_features" in network.arrays else 0
    codebooks = tokens.codebooks if "clip_codes" in network.arrays else 0
    if wanted != "words" and not feature_size + codebooks:
        missing = "feature_size" if "clip_features" in network.arrays else "codebooks"
        raise ConfigError(
            f"model.visual_input is {wanted!r}, but the records hold no such thing (prepare.{missing} was 0 when they "
            f"were prepared): set --config.prepare.{missing}, or --config.model.visual_input=words"
        )
    return dataclasses.replace(tokens, feature_size=feature_size, codebooks=codebooks)


def frozen_tokens(config: ModelConfig, tokens: TokenSpace) -> tuple[Frozen, ...]:
    """The rows of the token table that the config freezes: words come first, visual words after them."""
    first = 0 if config.text_rows == "frozen" else tokens.text_size
    last = tokens.size if config.visual_rows == "frozen" else tokens.text_size
    rows = (Frozen(TOKEN_TABLE, range(first, last)),) if first < last else ()
    return (*rows, *map(Frozen, TABLES[config.visual_input]))
