"""Rows for classification and question answering: a segment, a text beside it, and their labels."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.augmentation import Augmentation, augment
from videobert_jax.data.batch import SEQUENCES, ArraySpec, Row
from videobert_jax.data.packing import pack, row_specs
from videobert_jax.data.segments import Segment, evenly_spaced
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text, encode_video
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """A segment and its labels.

    Attributes:
      segment: of a video.
      words: text ids beside it: what is said in it, or a question about it.
      labels: numbers of the classes it belongs to; exactly one where classes exclude each other.
    """

    segment: Segment
    words: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def video_id(self) -> str:
        """The video's name."""
        return self.segment.video_id

    @property
    def start_clip(self) -> int:
        """Index of its first clip in the video."""
        return self.segment.start_clip


def encode(segment: Segment, words: Sequence[int], inputs: str, room: int, tokens: TokenSpace) -> TokenSequence:
    """``[CLS] words [>] clips [SEP]`` in at most `room` positions, at least 5.

    Clips are spaced evenly where there are too many. They have all the room that words leave; but words, of which the
    first are kept, take no more than half of it from them.

    Args:
      segment: has at least one clip.
      words: text ids, perhaps none.
      inputs: "both", or only "words" or "video". A segment without words is ``[CLS] [SEP]`` where words alone are read.
      room: positions.
      tokens: the joint vocabulary.
    """
    text = np.array(words, np.int32)
    if inputs == "words":
        return encode_text(text[: room - 2], tokens)
    clips = segment.visual_ids
    room -= 3  # [CLS], [>], [SEP]
    text = text[: max(room - len(clips), room // 2)] if inputs == "both" else text[:0]
    shown = evenly_spaced(len(clips), room - len(text))
    sequence = encode_joint(text, clips[shown], tokens) if len(text) else encode_video(clips[shown], tokens)
    return sequence._replace(clips=None if segment.details is None else segment.details.at(shown))


@dataclasses.dataclass(frozen=True)
class LabelledRows:
    """Packs N examples into a row, in equal shares of its positions; a `batching.RowMaker`.

    Attributes:
      tokens: the joint vocabulary.
      data: the sizes of a row.
      inputs: what is read; see `encode`.
      classes: number of classes.
      augmentation: of training rows.
    """

    tokens: TokenSpace
    data: DataConfig
    inputs: str
    classes: int
    augmentation: Augmentation | None = None

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row: beside those of `SCHEMA` the labels, [N, classes], and a weight for each example."""
        count, number = self.data.max_sequences, np.dtype(np.float32)
        read = row_specs(SEQUENCES, self.data.sequence_length, count, self.tokens)
        return {
            **read,
            "labels": ArraySpec((count, self.classes), number),
            "label_weights": ArraySpec((count,), number),
        }

    def __call__(self, examples: Sequence[Labelled], rng: np.random.Generator) -> Row:
        """Makes one row of at most N examples."""
        length, count = self.data.sequence_length, self.data.max_sequences
        sequences = [encode(one.segment, one.words, self.inputs, length // count, self.tokens) for one in examples]
        row = pack(augment(sequences, self.augmentation, rng), length, count, self.tokens)
        row["labels"] = np.zeros((count, self.classes), np.float32)
        for place, one in enumerate(examples):
            row["labels"][place, list(one.labels)] = 1
        row["label_weights"] = (np.arange(count) < len(examples)).astype(np.float32)
        return row

    def augmented(self, augmentation: Augmentation) -> Self:
        """The same for training, which changes sequences; see `data.augmentation`."""
        return dataclasses.replace(self, augmentation=augmentation)
