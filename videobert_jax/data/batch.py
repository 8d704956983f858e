"""The batch: the names, shapes and dtypes of its arrays, which rows, networks and objectives agree on.

A batch is a dictionary of arrays, NumPy on the host and JAX on the devices. It has B rows of S positions; a row packs N
sequences, and K of its positions may be predictions. A row is the same without B. Each task has those arrays that its
rows declare: some of `SCHEMA`, which is what networks read and tasks share, and any that only its objective knows.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

Row = dict[str, np.ndarray]
Batch = dict[str, np.ndarray]


class ArraySpec(NamedTuple):
    """The shape and the dtype of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


# Name -> axes after B, dtype.
SCHEMA: Mapping[str, tuple[str, type]] = {
    "token_ids": ("S", np.int32),  # ids of the joint space; padding after the last sequence
    "positions": ("S", np.int32),  # position in its own sequence
    "segment_types": ("S", np.int32),  # 0: text, with [CLS] and [>]; 1: video, with its [SEP]
    "sequence_ids": ("S", np.int32),  # 1 to N, the sequence that a position belongs to; 0: padding
    "cls_positions": ("N", np.int32),  # where each sequence begins
    "sequence_modes": ("N", np.int32),  # a `tokens.Mode`; 0: no such sequence
    "alignment_labels": ("N", np.int32),  # 1: the words and the clips of a joint sequence belong together
    "alignment_weights": ("N", np.float32),  # 1 for joint sequences, else 0
    "prediction_positions": ("K", np.int32),  # ascending; 0 where unused
    "prediction_targets": ("K", np.int32),  # the ids that stood there before masking
    "prediction_weights": ("K", np.float32),  # 1 where a prediction counts, else 0
}
SEQUENCES = tuple(name for name, (axes, _) in SCHEMA.items() if axes != "K")  # what every task over packed rows has
PREDICTIONS = tuple(name for name, (axes, _) in SCHEMA.items() if axes == "K")


def row_shapes(names: Iterable[str], **sizes: int) -> dict[str, ArraySpec]:
    """The arrays of a row, such as ``row_shapes(SEQUENCES, S=512, N=16)``."""
    specs = {}
    for name in names:
        axes, dtype = SCHEMA[name]
        specs[name] = ArraySpec(tuple(sizes[axis] for axis in axes), np.dtype(dtype))
    return specs
