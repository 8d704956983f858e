"""Applies a model to any number of examples of its task, in batches of rows made as for training."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from videobert_jax.data.batch import Batch
from videobert_jax.data.packing import pad_rows
from videobert_jax.data.prepared import Prepared

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has these functions as methods

ROWS = 16  # of a batch: one program for all


def all_of(model: "Model", prepared: Prepared, split: str) -> list[Any]:
    """The examples of a model's task in a split."""
    examples = model.task.examples(prepared, split)
    return [examples[index] for index in range(len(examples))]


def over(model: "Model", examples: Sequence[Any], read: Callable[[Any], np.ndarray], rows: int = ROWS) -> np.ndarray:
    """What the network says of each example, in order.

    Args:
      model: whose task makes rows of these examples.
      examples: at least one.
      read: outputs of a batch -> [rows, examples of a row, ...], such as ``lambda outputs: outputs.logits``.
      rows: of a batch.
    """
    group = model.task.group
    parts = []
    for batch, count in _batches(model, examples, rows):
        outputs = np.asarray(read(model.outputs(batch)))
        parts.append(outputs.reshape(rows * group, *outputs.shape[2:])[:count])
    return np.concatenate(parts)


def _batches(model: "Model", examples: Sequence[Any], rows: int) -> Iterator[tuple[Batch, int]]:
    """Batches of `rows` rows, and how many examples are in each. Nothing is drawn at random."""
    task, rng = model.task, np.random.default_rng(0)
    whole = rows * task.group
    for start in range(0, len(examples), whole):
        some = examples[start : start + whole]
        made = [task.row(some[first : first + task.group], rng) for first in range(0, len(some), task.group)]
        batch = {name: np.stack([row[name] for row in made]) for name in made[0]}
        yield pad_rows(batch, rows, model.tokens), len(some)
