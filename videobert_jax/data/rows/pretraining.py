"""Rows of pretraining: sequences drawn from chunks of videos, packed and masked (VideoBERT, sections 3.2 and 3.3)."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.batch import PREDICTIONS, SEQUENCES, ArraySpec, Row, row_shapes
from videobert_jax.data.masking import Masking
from videobert_jax.data.packing import pack
from videobert_jax.data.records import Record
from videobert_jax.data.sampling import Sampler
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True)
class PretrainingRows:
    """Makes a row of a group of records; a `batching.RowMaker`."""

    tokens: TokenSpace
    config: DataConfig

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row."""
        config = self.config
        sizes = {"S": config.sequence_length, "N": config.max_sequences, "K": config.max_predictions}
        return row_shapes((*SEQUENCES, *PREDICTIONS), **sizes)

    def __call__(self, examples: Sequence[Record], rng: np.random.Generator) -> Row:
        """One row."""
        sequences = self._sampler(examples, rng)
        packed = pack(sequences, self.config.sequence_length, self.config.max_sequences, self.tokens)
        return self._masking(packed, rng)

    @functools.cached_property
    def _sampler(self) -> Sampler:
        return Sampler(self.tokens, self.config)

    @functools.cached_property
    def _masking(self) -> Masking:
        return Masking(self.tokens, self.config)
