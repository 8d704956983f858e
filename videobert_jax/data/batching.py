"""Batch = f(seed, step), for any task.

A Grain `MapDataset` shuffles the examples, repeats them indefinitely and groups them. Each group makes one row, with a
generator derived from the seed and the row's index. So any step can be read directly, hosts need no communication, and
a checkpoint stores only the step.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import grain
import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.batch import ArraySpec, Batch, Row

VALIDATION_SEED = 0  # held-out batches are the same for every run

E = TypeVar("E", contravariant=True)
T = TypeVar("T")
X = TypeVar("X", covariant=True)


class Example(Protocol):
    """One input to a row, such as a `Record` or a `Segment`; the two properties identify it."""

    @property
    def video_id(self) -> str:
        """The video's name."""

    @property
    def start_clip(self) -> int:
        """Index of its first clip in the video."""


class Examples(Protocol[X]):
    """A sequence with thread-safe random access, such as a `RecordSource`."""

    def __len__(self) -> int:
        """The number of examples."""

    def __getitem__(self, index: int) -> X:
        """Returns one example."""


class RowMaker(Protocol[E]):
    """Makes a row from a group of examples, with NumPy; all randomness comes from the generator."""

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row."""

    def __call__(self, examples: Sequence[E], rng: np.random.Generator) -> Row:
        """Makes one row."""


class Drawn(NamedTuple):
    """An example of one part of a mixture."""

    part: str
    example: Any

    @property
    def video_id(self) -> str:
        """The video's name."""
        return self.example.video_id

    @property
    def start_clip(self) -> int:
        """Index of its first clip in the video."""
        return self.example.start_clip


@dataclasses.dataclass(frozen=True, eq=False)
class Share:
    """The examples of one part of a mixture.

    Attributes:
      part: its name.
      examples: of the part by itself.
      group: number of examples per row.
      weight: share of the rows, relative to those of the other parts, above 0.
    """

    part: str
    examples: Examples[Any]
    group: int
    weight: float

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Drawn:
        """Returns one example."""
        return Drawn(self.part, self.examples[index])


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed:
    """The examples of several parts; a row has those of one part.

    Rows of the parts take turns by their weights, evenly. Those of a part are, in order, the very rows that the part
    has by itself: each of its epochs is a permutation of its examples.
    """

    shares: tuple[Share, ...]

    def __len__(self) -> int:
        return sum(map(len, self.shares))

    def __getitem__(self, index: int) -> Drawn:
        """Returns one example, of the first part first."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        for share in self.shares:
            if index < len(share):
                return share[index]
            index -= len(share)
        raise AssertionError

    def taking_turns(self, of: Callable[[Share], grain.MapDataset]) -> grain.MapDataset:
        """What `of` makes of each part, for any number of rows, interleaved by weight."""
        return grain.MapDataset.mix([of(share) for share in self.shares], [share.weight for share in self.shares])


def dataset(
    examples: Examples[Any],
    row: RowMaker[Any],
    group: int,
    config: DataConfig,
    seed: int,
    rows: Sequence[int] | None = None,
) -> grain.MapDataset:
    """Returns an endless dataset whose ``[step]`` is the global batch of that step, or the given rows of it, in order.

    A row is bitwise the same no matter which other rows are requested.

    Args:
      examples: the source of examples.
      row: makes a row from `group` examples.
      group: number of examples per row; of a mixture, each part has its own.
      config: only `batch_size` is used.
      seed: for the order of the examples and for every row.
      rows: indices of rows in the global batch, by default all; ValueError if out of range.
    """
    rows = range(config.batch_size) if rows is None else rows
    if not rows or not all(0 <= number < config.batch_size for number in rows):
        raise ValueError(f"rows {rows} of a batch of {config.batch_size} (config.data.batch_size)")
    all_rows = _rows(examples, row, group, seed)

    def batch(step: int) -> Batch:
        drawn = [all_rows[step * config.batch_size + number] for number in rows]
        return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}

    return grain.MapDataset.range(len(all_rows) // config.batch_size).map(batch)


def _rows(examples: Examples[Any], row: RowMaker[Any], group: int, seed: int) -> grain.MapDataset:
    if isinstance(examples, Mixed):
        return examples.taking_turns(lambda share: _rows(share, row, share.group, seed))
    return _groups(examples, group, seed).random_map(row)


def _groups(examples: Examples[Any], group: int, seed: int) -> grain.MapDataset:
    if isinstance(examples, Mixed):
        return examples.taking_turns(lambda share: _groups(share, share.group, seed))
    shuffled = grain.MapDataset.source(examples).seed(seed).shuffle().repeat()
    return shuffled.batch(group, drop_remainder=True, batch_fn=list)


def examples_of_step(examples: Examples[T], group: int, config: DataConfig, seed: int, step: int) -> list[list[T]]:
    """Returns the examples of each row of a step's global batch."""
    groups = _groups(examples, group, seed)
    return [groups[row] for row in range(step * config.batch_size, (step + 1) * config.batch_size)]


def batches(data: grain.MapDataset, start_step: int, config: DataConfig) -> Generator[Batch, None, None]:
    """Yields the batches of `data` from `start_step` on; closing the iterator stops the threads that read ahead."""
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
    """Returns `count` held-out batches, sampled like training batches and identical at every step of every run."""
    return dataset(examples, row, group, config, VALIDATION_SEED, rows)[:count]


def fill_rate(batches: Iterable[Batch]) -> float:
    """Returns the fraction of positions that are not padding."""
    used, positions = 0, 0
    for batch in batches:
        used += int(np.count_nonzero(batch["sequence_ids"]))
        positions += batch["sequence_ids"].size
    return used / positions
