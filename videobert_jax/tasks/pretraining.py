"""Pretraining: masked words, masked visual words, and text-video alignment (VideoBERT, section 3.3)."""

from videobert_jax.config import Config, PretrainingConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.model.videobert import VideoBert
from videobert_jax.objectives.pretraining import Pretraining
from videobert_jax.tasks.task import Task, as_read, frozen_tokens
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
