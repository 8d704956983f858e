"""The names, shapes and dtypes of a batch's arrays.

A batch has B rows of S positions; a row packs up to N sequences and has up to K predictions. If records keep more of a
clip than its visual word, this is P numbers and C codes. The arrays of a row have no B axis. Each task uses the arrays
that its rows declare: some of `SCHEMA`, which networks read and tasks share, and any that only its objective knows.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

Row = dict[str, np.ndarray]
Batch = dict[str, np.ndarray]


class ArraySpec(NamedTuple):
    """The shape and dtype of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


# Name -> axes after B, dtype.
SCHEMA: Mapping[str, tuple[str, type]] = {
    "token_ids": ("S", np.int32),  # ids of the joint space; padding after the last sequence
    "positions": ("S", np.int32),  # index within its own sequence
    "segment_types": ("S", np.int32),  # 0: text, with [CLS] and [>]; 1: video, with its [SEP]
    "sequence_ids": ("S", np.int32),  # 1 to N, the sequence of each position; 0: padding
    "clip_seen": ("S", np.int32),  # 1 where the two arrays below describe a clip, which is not masked
    "clip_features": ("SP", np.float16),  # `records.ClipDetails.features`
    "clip_codes": ("SC", np.int32),  # `records.ClipDetails.codes`
    "cls_positions": ("N", np.int32),  # where each sequence begins
    "sequence_modes": ("N", np.int32),  # a `tokens.Mode`; 0: unused
    "alignment_labels": ("N", np.int32),  # 1: a joint sequence with matching words and clips
    "alignment_weights": ("N", np.float32),  # 1 for joint sequences, else 0
    "prediction_positions": ("K", np.int32),  # ascending; 0 where unused
    "prediction_targets": ("K", np.int32),  # the ids before masking
    "prediction_weights": ("K", np.float32),  # 1 where a prediction counts, else 0
}
CLIPS = tuple(name for name in SCHEMA if name.startswith("clip_"))  # of records that keep more than visual words
# In every task over packed rows.
SEQUENCES = tuple(name for name, (axes, _) in SCHEMA.items() if axes != "K" and name not in CLIPS)
PREDICTIONS = tuple(name for name, (axes, _) in SCHEMA.items() if axes == "K")
# What a trunk reads, of whatever task.
POSITIONS = tuple(name for name, (axes, _) in SCHEMA.items() if axes.startswith("S"))


def row_shapes(names: Iterable[str], **sizes: int) -> dict[str, ArraySpec]:
    """Returns the specs of a row's arrays, for example ``row_shapes(SEQUENCES, S=512, N=16)``."""
    specs = {}
    for name in names:
        axes, dtype = SCHEMA[name]
        specs[name] = ArraySpec(tuple(sizes[axis] for axis in axes), np.dtype(dtype))
    return specs
