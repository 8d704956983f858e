"""Rows for pretraining: sequences sampled from video chunks, packed and masked (VideoBERT, sections 3.2 and 3.3)."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np

from videobert_jax.config import DataConfig, PretrainingConfig
from videobert_jax.data.augmentation import Augmentation, augment
from videobert_jax.data.batch import PREDICTIONS, SEQUENCES, ArraySpec, Row
from videobert_jax.data.masking import Masking
from videobert_jax.data.packing import detail_sizes, pack, row_specs
from videobert_jax.data.records import Record
from videobert_jax.data.sampling import Sampler
from videobert_jax.data.sequences import TokenSequence
from videobert_jax.tokens import Mode, TokenSpace


@dataclasses.dataclass(frozen=True)
class PretrainingRows:
    """Makes a row from a group of records; a `batching.RowMaker`.

    Attributes:
      tokens: the joint vocabulary.
      config: how sequences are sampled and masked.
      data: the sizes of a row.
      contrast: for `evaluation.use_of_video`. "other": after everything is drawn, joint sequences get the clips of
        another video of the group: the same words are masked beside clips that say nothing of them. "own": they keep
        theirs. In both, no prediction counts in a sequence for which there is no other video. "": pretraining.
      augmentation: of training rows.
    """

    tokens: TokenSpace
    config: PretrainingConfig
    data: DataConfig
    contrast: Literal["", "own", "other"] = ""
    augmentation: Augmentation | None = None

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row."""
        sizes = self.data.sequence_length, self.data.max_sequences
        return row_specs((*SEQUENCES, *PREDICTIONS), *sizes, self.tokens, self.config.max_predictions)

    def __call__(self, examples: Sequence[Record], rng: np.random.Generator) -> Row:
        """Makes one row."""
        sequences = augment(self._sampler(examples, rng), self.augmentation, rng)
        packed = pack(sequences, self.data.sequence_length, self.data.max_sequences, self.tokens)
        overlaps = np.zeros(self.data.max_sequences, int)
        overlaps[: len(sequences)] = [sequence.overlap for sequence in sequences]
        row = self._masking(packed, rng, overlaps)
        return self._contrasted(row, sequences, examples, rng) if self.contrast else row

    def augmented(self, augmentation: Augmentation) -> Self:
        """The same for training, which changes sequences; see `data.augmentation`."""
        return dataclasses.replace(self, augmentation=augmentation)

    def _contrasted(
        self, row: Row, sequences: Sequence[TokenSequence], examples: Sequence[Record], rng: np.random.Generator
    ) -> Row:
        row = {name: array.copy() for name, array in row.items()}
        predicted = row["sequence_ids"][row["prediction_positions"]]
        for number, sequence in enumerate(sequences, 1):
            others = [x for x in examples if x.video_id != sequence.video_id and len(x.visual_ids)]
            if sequence.mode == Mode.JOINT and not others:
                row["prediction_weights"][predicted == number] = 0
            elif sequence.mode == Mode.JOINT and self.contrast == "other":
                self._replace_clips(row, number, others[rng.integers(len(others))], rng)
        return row

    def _replace_clips(self, row: Row, number: int, other: Record, rng: np.random.Generator) -> None:
        """Puts clips of another video in the place of those that a sequence shows, in place."""
        places = np.flatnonzero((row["sequence_ids"] == number) & (row["token_ids"] >= self.tokens.text_size))
        clips = (int(rng.integers(len(other.visual_ids))) + np.arange(len(places))) % len(other.visual_ids)
        row["token_ids"][places] = other.visual_ids[clips] + self.tokens.text_size
        if "clip_seen" in row and other.details is not None:
            seen = row["clip_seen"][places] > 0
            for name, values in zip(detail_sizes(self.tokens), other.details.at(clips[seen]), strict=True):
                if name in row:
                    row[name][places[seen]] = values

    @functools.cached_property
    def _sampler(self) -> Sampler:
        return Sampler(self.tokens, self.config, self.data.sequence_length, self.data.max_sequences)

    @functools.cached_property
    def _masking(self) -> Masking:
        return Masking(self.tokens, self.config)
