"""Batch = f(seed, step): what every training step reads, for any task.

The pipeline is a Grain `MapDataset`: shuffled examples, repeated without end, in small groups; each group makes one
row, by itself and with a generator that derives from the seed and the row's number. So any step can be asked for
directly, hosts need not talk to each other, and the step is all there is to save.
"""

import contextlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import grain
import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.batch import ArraySpec, Batch, Row

VALIDATION_SEED = 0  # held-out batches are the same for every run

E = TypeVar("E", contravariant=True)
T = TypeVar("T")
X = TypeVar("X", covariant=True)


class Example(Protocol):
    """What rows are made of, such as a `Record` or a `Segment`; these two say which it is."""

    @property
    def video_id(self) -> str:
        """The video's name."""

    @property
    def start_clip(self) -> int:
        """Index in the video of its first clip."""


class Examples(Protocol[X]):
    """A sequence with random access, such as a `RecordSource`, from several threads."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int) -> X:
        """One of them."""


class RowMaker(Protocol[E]):
    """Makes a row of a group of examples, with NumPy; what is random comes from the generator alone."""

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row."""

    def __call__(self, examples: Sequence[E], rng: np.random.Generator) -> Row:
        """One row."""


def dataset(
    examples: Examples[Any],
    row: RowMaker[Any],
    group: int,
    config: DataConfig,
    seed: int,
    rows: Sequence[int] | None = None,
) -> grain.MapDataset:
    """The endless data set whose ``[step]`` is the global batch of that step, or `rows` of it in their order.

    A row is bitwise the same whatever others are asked for. Raises ValueError for rows that a batch does not have.

    Args:
      examples: random access, such as a `RecordSource`.
      row: makes a row of `group` examples.
      group: how many examples a row is made of.
      config: `batch_size`.
      seed: of the order and of every row.
      rows: of the global batch, by default all.
    """
    rows = range(config.batch_size) if rows is None else rows
    if not rows or not all(0 <= number < config.batch_size for number in rows):
        raise ValueError(f"rows {rows} of a batch of {config.batch_size} (config.data.batch_size)")
    all_rows = _groups(examples, group, seed).random_map(row)

    def batch(step: int) -> Batch:
        drawn = [all_rows[step * config.batch_size + number] for number in rows]
        return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}

    return grain.MapDataset.range(len(all_rows) // config.batch_size).map(batch)


def _groups(examples: Examples[Any], group: int, seed: int) -> grain.MapDataset:
    """The examples of each row."""
    shuffled = grain.MapDataset.source(examples).seed(seed).shuffle().repeat()
    return shuffled.batch(group, drop_remainder=True, batch_fn=list)


def examples_of_step(examples: Examples[T], group: int, config: DataConfig, seed: int, step: int) -> list[list[T]]:
    """For each row of the global batch of a step, the examples that it is made of."""
    groups = _groups(examples, group, seed)
    return [groups[row] for row in range(step * config.batch_size, (step + 1) * config.batch_size)]


def batches(data: grain.MapDataset, start_step: int, config: DataConfig) -> Generator[Batch, None, None]:
    """The batches of `dataset` from `start_step` on, read ahead by threads, which end when the iterator is closed."""
    options = grain.ReadOptions(num_threads=config.read_threads, prefetch_buffer_size=config.prefetch)
    with contextlib.closing(iter(data[start_step:].to_iter_dataset(options))) as stream:
        yield from stream


def validation_batches(
    examples: Examples[Any],
    row: RowMaker[Any],
    group: int,
    config: DataConfig,
    count: int,
    rows: Sequence[int] | None = None,
) -> grain.MapDataset:
    """`count` held-out batches, drawn as those of training are, the same at every step of every run."""
    return dataset(examples, row, group, config, VALIDATION_SEED, rows)[:count]


def fill_rate(batches: Iterable[Batch]) -> float:
    """Share of the positions that are not padding."""
    used, positions = 0, 0
    for batch in batches:
        used += int(np.count_nonzero(batch["sequence_ids"]))
        positions += batch["sequence_ids"].size
    return used / positions
