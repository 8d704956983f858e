"""Rows for retrieval: texts and the segments of video that they describe, each a sequence of its own."""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.augmentation import Augmentation, augment
from videobert_jax.data.batch import SEQUENCES, ArraySpec, Row
from videobert_jax.data.packing import pack, row_specs
from videobert_jax.data.rows.labelled import encode
from videobert_jax.data.segments import Segment
from videobert_jax.data.sequences import encode_text
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """A segment and a text that describes it.

    Attributes:
      segment: of a video.
      words: text ids.
    """

    segment: Segment
    words: tuple[int, ...]

    @property
    def video_id(self) -> str:
        """The video's name."""
        return self.segment.video_id

    @property
    def start_clip(self) -> int:
        """Index of its first clip in the video."""
        return self.segment.start_clip


def key(*parts: object) -> int:
    """A number in [0, 2 ** 31) that equal parts share, in every process."""
    return zlib.crc32(repr(parts).encode()) >> 1


@dataclasses.dataclass(frozen=True)
class PairRows:
    """Packs N / 2 pairs into a row, in equal shares of its positions; a `batching.RowMaker`.

    Sequence 2 i is the text of pair i, sequence 2 i + 1 its segment.

    Attributes:
      tokens: the joint vocabulary.
      data: the sizes of a row; N is `max_sequences`, an even number.
      inputs: what is read of a segment; see `labelled.encode`.
      augmentation: of training rows.
    """

    tokens: TokenSpace
    data: DataConfig
    inputs: str
    augmentation: Augmentation | None = None

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row: beside those of `SCHEMA` a weight of each pair, and what it shares with others.

        Pairs with the same `text_keys` have the same text, and those with the same `video_keys` the same segment.
        """
        pairs, key_type = (self.data.max_sequences // 2,), np.dtype(np.int32)
        return {
            **row_specs(SEQUENCES, self.data.sequence_length, self.data.max_sequences, self.tokens),
            "pair_weights": ArraySpec(pairs, np.dtype(np.float32)),
            "text_keys": ArraySpec(pairs, key_type),
            "video_keys": ArraySpec(pairs, key_type),
        }

    def __call__(self, examples: Sequence[Pair], rng: np.random.Generator) -> Row:
        """Makes one row of at most N / 2 pairs."""
        length, count = self.data.sequence_length, self.data.max_sequences
        room, sequences = length // count, []
        for one in examples:
            sequences.append(encode_text(np.array(one.words[: room - 2], np.int32), self.tokens))
            sequences.append(encode(one.segment, one.segment.spoken, self.inputs, room, self.tokens))
        row = pack(augment(sequences, self.augmentation, rng), length, count, self.tokens)
        keys = {
            "pair_weights": [1.0] * len(examples),
            "text_keys": [key(one.words) for one in examples],
            "video_keys": [key(one.video_id, one.start_clip, len(one.segment.visual_ids)) for one in examples],
        }
        for name, values in keys.items():
            row[name] = np.zeros(*self.shapes[name])
            row[name][: len(examples)] = values
        return row

    def augmented(self, augmentation: Augmentation) -> Self:
        """The same for training, which changes sequences; see `data.augmentation`."""
        return dataclasses.replace(self, augmentation=augmentation)
