"""Rows for pretraining: sequences sampled from video chunks, packed and masked (VideoBERT, sections 3.2 and 3.3)."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from videobert_jax.config import DataConfig, PretrainingConfig
from videobert_jax.data.batch import PREDICTIONS, SEQUENCES, ArraySpec, Row, row_shapes
from videobert_jax.data.masking import Masking
from videobert_jax.data.packing import pack
from videobert_jax.data.records import Record
from videobert_jax.data.sampling import Sampler
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True)
class PretrainingRows:
    """Makes a row from a group of records; a `batching.RowMaker`."""

    tokens: TokenSpace
    config: PretrainingConfig
    data: DataConfig

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row."""
        sizes = {"S": self.data.sequence_length, "N": self.data.max_sequences, "K": self.config.max_predictions}
        return row_shapes((*SEQUENCES, *PREDICTIONS), **sizes)

    def __call__(self, examples: Sequence[Record], rng: np.random.Generator) -> Row:
        """Makes one row."""
        sequences = self._sampler(examples, rng)
        packed = pack(sequences, self.data.sequence_length, self.data.max_sequences, self.tokens)
        return self._masking(packed, rng)

    @functools.cached_property
    def _sampler(self) -> Sampler:
        return Sampler(self.tokens, self.config, self.data.sequence_length, self.data.max_sequences)

    @functools.cached_property
    def _masking(self) -> Masking:
        return Masking(self.tokens, self.config)
