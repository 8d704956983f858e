"""Rows for recommendation: the videos that a viewer watched, and the next one."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.augmentation import Augmentation, augment
from videobert_jax.data.batch import SEQUENCES, ArraySpec, Row
from videobert_jax.data.packing import pack, row_specs
from videobert_jax.data.rows.labelled import encode
from videobert_jax.data.rows.pairs import key
from videobert_jax.data.segments import Segment
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True, eq=False)
class Watched:
    """What a viewer watched next.

    Attributes:
      user: who.
      history: watched before, the oldest first; at least one.
      next: watched after that.
      frequency: share of all training viewings that are of `next`, above 0: how likely it is drawn as the next of
        another viewer.
    """

    user: str
    history: tuple[Segment, ...]
    next: Segment
    frequency: float

    @property
    def video_id(self) -> str:
        """The name of the next video."""
        return self.next.video_id

    @property
    def start_clip(self) -> int:
        """Index of its first clip."""
        return self.next.start_clip


@dataclasses.dataclass(frozen=True)
class ViewingRows:
    """One viewer a row: the next video, then the last N - 1 that were watched; a `batching.RowMaker`.

    Attributes:
      tokens: the joint vocabulary.
      data: the sizes of a row; N is `max_sequences`, at least 2.
      inputs: what is read of a video; see `labelled.encode`.
      augmentation: of training rows.
    """

    tokens: TokenSpace
    data: DataConfig
    inputs: str
    augmentation: Augmentation | None = None

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row: beside those of `SCHEMA` who and what it is about, and how frequent that is."""
        number, key_type = np.dtype(np.float32), np.dtype(np.int32)
        return {
            **row_specs(SEQUENCES, self.data.sequence_length, self.data.max_sequences, self.tokens),
            "history_weights": ArraySpec((self.data.max_sequences,), number),  # 1: watched before
            "viewer_weights": ArraySpec((), number),  # 1: there is a viewer
            "user_keys": ArraySpec((), key_type),
            "video_keys": ArraySpec((), key_type),
            "log_frequencies": ArraySpec((), number),
        }

    def __call__(self, examples: Sequence[Watched], rng: np.random.Generator) -> Row:
        """Makes one row of one example."""
        (one,) = examples
        length, count = self.data.sequence_length, self.data.max_sequences
        segments = (one.next, *one.history[-(count - 1) :])
        sequences = [encode(each, each.spoken, self.inputs, length // count, self.tokens) for each in segments]
        row = pack(augment(sequences, self.augmentation, rng), length, count, self.tokens)
        row["history_weights"] = ((np.arange(count) > 0) & (np.arange(count) < len(segments))).astype(np.float32)
        row["viewer_weights"] = np.ones((), np.float32)
        row["user_keys"] = np.array(key(one.user), np.int32)
        row["video_keys"] = np.array(key(one.video_id), np.int32)
        row["log_frequencies"] = np.array(np.log(one.frequency), np.float32)
        return row

    def augmented(self, augmentation: Augmentation) -> Self:
        """The same for training, which changes sequences; see `data.augmentation`."""
        return dataclasses.replace(self, augmentation=augmentation)
