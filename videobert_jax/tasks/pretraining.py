"""Pretraining: masked words, masked visual words, and text-video alignment (VideoBERT, section 3.3)."""

from videobert_jax.config import Config, ModelConfig, PretrainingConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.model.embeddings import TOKEN_TABLE
from videobert_jax.model.videobert import VideoBert
from videobert_jax.objectives.pretraining import Pretraining
from videobert_jax.tasks.task import Frozen, Task
from videobert_jax.tokens import TokenSpace


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config."""
    section = config.task
    assert isinstance(section, PretrainingConfig)
    return Task(
        network=VideoBert(config.model, tokens),
        objective=Pretraining(tokens.text_size, section.weights),
        row=PretrainingRows(tokens, section, config.data),
        group=section.chunks_per_row,
        examples=Prepared.source,
        frozen=frozen_tokens(config.model, tokens),
    )


def frozen_tokens(config: ModelConfig, tokens: TokenSpace) -> tuple[Frozen, ...]:
    """The rows of the token table that the config freezes: words come first, visual words after them."""
    first = 0 if config.text_rows == "frozen" else tokens.text_size
    last = tokens.size if config.visual_rows == "frozen" else tokens.text_size
    return (Frozen(TOKEN_TABLE, range(first, last)),) if first < last else ()
