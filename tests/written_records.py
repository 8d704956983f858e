"""Data sets of records for tests, without preparing anything."""

import pathlib
from collections.abc import Sequence

from videobert_jax.data import records as records_lib
from videobert_jax.data.records import Record


def write_records(
    directory: pathlib.Path,
    split: str,
    records: Sequence[Record],
    records_per_shard: int = 1024,
    record_format: str = "array_record",
) -> None:
    """Writes a split, beside another that `directory` has."""
    directory.mkdir(parents=True, exist_ok=True)
    shards = [records[start : start + records_per_shard] for start in range(0, len(records), records_per_shard)]
    names = [records_lib.shard_name(split, record_format, index, len(shards)) for index in range(len(shards))]
    lengths = [
        records_lib.write_shard(directory / name, shard, record_format)
        for name, shard in zip(names, shards, strict=True)
    ]
    others = records_lib._read_metadata(directory)[1] if (directory / "dataset_info.json").exists() else {}
    records_lib.write_metadata(directory, {**others, split: lengths})
