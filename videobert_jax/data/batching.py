"""Batch = f(seed, step): what every training step reads.

The pipeline is a Grain `MapDataset`: shuffled records, repeated for ever, in small groups; each group makes one row,
by itself and with a generator that derives from the seed and the row's number. So any step can be asked for directly,
hosts need not talk to each other, and the step is all there is to save.
"""

import contextlib
import functools
from collections.abc import Generator, Iterable, Sequence

import grain
import numpy as np

from videobert_jax.config import DataConfig
from videobert_jax.data.masking import Masking
from videobert_jax.data.packing import Batch, pack
from videobert_jax.data.records import Record, RecordSource
from videobert_jax.data.sampling import Sampler
from videobert_jax.tokens import TokenSpace

VALIDATION_SEED = 0  # held-out batches are the same for every run


def make_row(
    records: Sequence[Record],
    rng: np.random.Generator,
    sampler: Sampler,
    masking: Masking,
    tokens: TokenSpace,
    config: DataConfig,
) -> Batch:
    """One row, as `packing` describes it, from one group of records."""
    sequences = sampler(records, rng)
    return masking(pack(sequences, config.sequence_length, config.max_sequences, tokens), rng)


def dataset(
    source: RecordSource | Sequence[Record],
    tokens: TokenSpace,
    config: DataConfig,
    seed: int,
    rows: Sequence[int] | None = None,
) -> grain.MapDataset:
    """The endless data set whose ``[step]`` is the global batch of that step, or `rows` of it in their order.

    A row is bitwise the same whatever others are asked for. Raises ValueError for rows that a batch does not have.
    """
    rows = range(config.batch_size) if rows is None else rows
    if not rows or not all(0 <= row < config.batch_size for row in rows):
        raise ValueError(f"rows {rows} of a batch of {config.batch_size} (config.data.batch_size)")
    make = functools.partial(
        make_row, sampler=Sampler(tokens, config), masking=Masking(tokens, config), tokens=tokens, config=config
    )
    all_rows = _groups(source, config, seed).random_map(make)

    def batch(step: int) -> Batch:
        drawn = [all_rows[step * config.batch_size + row] for row in rows]
        return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}

    return grain.MapDataset.range(len(all_rows) // config.batch_size).map(batch)


def _groups(source: RecordSource | Sequence[Record], config: DataConfig, seed: int) -> grain.MapDataset:
    """Of each row, the records that it is made of."""
    shuffled = grain.MapDataset.source(source).seed(seed).shuffle().repeat()
    return shuffled.batch(config.chunks_per_row, drop_remainder=True, batch_fn=list)


def examples(
    source: RecordSource | Sequence[Record], config: DataConfig, seed: int, step: int
) -> list[list[tuple[str, int]]]:
    """Of each row of the global batch of a step, the (video id, first clip) of the records that it is made of."""
    groups = _groups(source, config, seed)
    rows = range(step * config.batch_size, (step + 1) * config.batch_size)
    return [[(record.video_id, record.start_clip) for record in groups[row]] for row in rows]


def batches(data: grain.MapDataset, start_step: int, config: DataConfig) -> Generator[Batch, None, None]:
    """The batches of `dataset` from `start_step` on, read ahead by threads, which end when the iterator is closed."""
    options = grain.ReadOptions(num_threads=config.read_threads, prefetch_buffer_size=config.prefetch)
    with contextlib.closing(iter(data[start_step:].to_iter_dataset(options))) as stream:
        yield from stream


def validation_batches(
    source: RecordSource | Sequence[Record],
    tokens: TokenSpace,
    config: DataConfig,
    count: int,
    rows: Sequence[int] | None = None,
) -> grain.MapDataset:
    """`count` held-out batches, drawn as those of training are, the same at every step of every run."""
    return dataset(source, tokens, config, VALIDATION_SEED, rows)[:count]


def fill_rate(batches: Iterable[Batch]) -> float:
    """Share of the positions that are not padding."""
    used, positions = 0, 0
    for batch in batches:
        used += int(np.count_nonzero(batch["sequence_ids"]))
        positions += batch["sequence_ids"].size
    return used / positions
