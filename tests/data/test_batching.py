import dataclasses
import os
import pathlib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from synthetic_records import TOKENS, corpus, record
from written_records import write_records

from videobert_jax.config import DataConfig, PretrainingConfig
from videobert_jax.data import batching
from videobert_jax.data.batch import Batch
from videobert_jax.data.records import RecordSource
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.errors import RecordError

CONFIG = DataConfig(batch_size=8, sequence_length=128, max_sequences=16, read_threads=2, prefetch=3)
TASK = PretrainingConfig(max_predictions=24)
SHAPES = {
    "token_ids": 128,
    "positions": 128,
    "segment_types": 128,
    "sequence_ids": 128,
    "prediction_positions": 24,
    "prediction_targets": 24,
    "prediction_weights": 24,
    "cls_positions": 16,
    "sequence_modes": 16,
    "alignment_labels": 16,
    "alignment_weights": 16,
}


def assert_equal(left: Batch, right: Batch) -> None:
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name, strict=True)


def dataset(source, config=CONFIG, seed=0, rows=None, task=TASK):
    return batching.dataset(source, PretrainingRows(TOKENS, task, config), task.chunks_per_row, config, seed, rows)


def held_out(source, count, rows=None):
    row = PretrainingRows(TOKENS, TASK, CONFIG)
    return batching.validation_batches(source, row, TASK.chunks_per_row, CONFIG, count, rows)


@pytest.fixture
def source(tmp_path: pathlib.Path) -> RecordSource:
    write_records(tmp_path, "train", corpus(), 10)
    return RecordSource(tmp_path, "train")


def test_shapes_and_types(source: RecordSource) -> None:
    batch = dataset(source, seed=0)[0]
    assert {name: array.shape for name, array in batch.items()} == {name: (8, size) for name, size in SHAPES.items()}
    for name, array in batch.items():
        assert array.dtype == (np.float32 if name.endswith("weights") else np.int32), name
    assert batch["token_ids"].max() < TOKENS.size


@pytest.mark.parametrize("rows", [range(4, 8), (0, 3, 5), (7,), (5, 0)])
def test_any_rows_are_those_of_the_global_batch(source: RecordSource, rows: Sequence[int]) -> None:
    whole, part = (dataset(source, seed=3, rows=of) for of in (None, rows))
    for step in (0, 1, 7, 100_000):
        assert_equal(part[step], {name: array[list(rows)] for name, array in whole[step].items()})


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_the_stream_is_the_steps_one_after_the_other(source: RecordSource, threads: int) -> None:
    data = dataset(source, seed=0, rows=(1, 4, 6))
    config = dataclasses.replace(CONFIG, read_threads=threads)
    for start in (0, 5):
        stream = batching.batches(data, start, config)
        for step in range(start, start + 12):
            assert_equal(next(stream), data[step])
        stream.close()


def test_closing_the_stream_ends_its_threads(source: RecordSource) -> None:
    before = set(threading.enumerate())
    stream = batching.batches(dataset(source, seed=0), 0, CONFIG)
    next(stream)
    started = set(threading.enumerate()) - before
    assert started
    stream.close()
    for thread in started:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_seeds_and_steps_differ(source: RecordSource) -> None:
    rows = [
        row.tobytes() for seed in (0, 1) for step in range(10) for row in dataset(source, seed=seed)[step]["token_ids"]
    ]
    assert len(set(rows)) == len(rows)


def test_an_epoch_uses_every_record_once() -> None:
    """With one chunk per row, each from a different video, 12 rows are an epoch; each epoch has a different order."""
    records = [record(video) for video in range(12)]
    task = dataclasses.replace(TASK, chunks_per_row=1, text_only=0.0, joint=0.0)
    data = dataset(records, dataclasses.replace(CONFIG, batch_size=1), seed=0, task=task)

    def video(step: int) -> int:
        clips = data[step]["prediction_targets"][0]
        return int(clips[0] - TOKENS.text_size) // 100

    epochs = [[video(step) for step in range(12 * epoch, 12 * epoch + 12)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_two_chunks_are_enough_for_any_group() -> None:
    data = dataset([record(0), record(1)], seed=0)
    assert data[0]["token_ids"].shape == (8, 128)


@pytest.mark.parametrize(("length", "sequences"), [(128, 16), (256, 32), (512, 64), (256, 16)])
def test_rows_are_filled(source: RecordSource, length: int, sequences: int) -> None:
    config = dataclasses.replace(CONFIG, sequence_length=length, max_sequences=sequences)
    data = dataset(source, config, seed=0, task=dataclasses.replace(TASK, max_predictions=96))
    assert batching.fill_rate(data[step] for step in range(10)) >= 0.97


def test_fill_rate_counts_positions() -> None:
    batches = [{"sequence_ids": np.array([[1, 1, 0, 0]])}, {"sequence_ids": np.array([[1, 2, 3, 0]])}]
    assert batching.fill_rate(batches) == 5 / 8


def test_held_out_batches_are_always_the_same(source: RecordSource) -> None:
    first, again = (held_out(source, 4) for _ in range(2))
    assert len(first) == 4
    assert_equal(
        first[1],
        held_out(source, 2)[1],
    )
    stream = list(batching.batches(first, 0, CONFIG))
    assert len(stream) == 4
    for step in range(4):
        assert_equal(stream[step], again[step])
    videos = Counter((first[0]["prediction_targets"].ravel() - TOKENS.text_size) // 100)
    assert len([video for video in videos if video >= 0]) == 12  # they are mixed, not read in order
    part = held_out(source, 4, (2, 5))[3]["token_ids"]
    np.testing.assert_array_equal(part, first[3]["token_ids"][[2, 5]])


def test_a_bad_record_ends_the_stream_loudly(tmp_path: pathlib.Path, source: RecordSource) -> None:
    path = next(tmp_path.glob("*train*00001-of-*"))
    data = bytearray(path.read_bytes())
    data[64:4096] = bytes(4032)
    path.write_bytes(data)
    broken = RecordSource(tmp_path, "train")
    with pytest.raises(RecordError, match=r"train.array_record-00001-of-00004, record \d: "):
        for _ in batching.batches(dataset(broken, seed=0), 0, CONFIG):
            pass


@pytest.mark.parametrize("rows", [(), (-1,), (0, 8)])
def test_rows_that_a_batch_does_not_have(rows: Sequence[int]) -> None:
    with pytest.raises(ValueError, match=r"rows \(.*\) of a batch of 8 \(config.data.batch_size\)"):
        dataset([record(0)], rows=rows)


HOST = """
import pathlib, sys
import numpy as np
from absl import flags
import test_batching as test
from videobert_jax.data import batching, records

flags.FLAGS.mark_as_parsed()
directory, index, out = sys.argv[1:]
source = records.RecordSource(pathlib.Path(directory), "train")
rows = range(int(index), 8, 2)
stream = batching.batches(test.dataset(source, seed=7, rows=rows), 40, test.CONFIG)
batches = [next(stream) for _ in range(5)]
stream.close()
np.savez(out, **{name: np.stack([batch[name] for batch in batches]) for name in batches[0]})
"""


@pytest.mark.slow
def test_two_processes_draw_the_batches_of_one(tmp_path: pathlib.Path, source: RecordSource) -> None:
    """Uses real processes: nothing that differs between them, such as hash(), may affect a batch."""
    here = pathlib.Path(__file__).parent
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOST, str(tmp_path), index, str(tmp_path / index)],
            env={**os.environ, "PYTHONPATH": f"{here}:{here.parent}:{here.parents[1]}"},
        )
        for index in "01"
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    left, right = (np.load(tmp_path / f"{index}.npz") for index in "01")
    whole = dataset(source, seed=7)
    for step in range(40, 45):
        for half, drawn in enumerate((left, right)):
            expected = {name: array[half::2] for name, array in whole[step].items()}
            assert_equal({name: drawn[name][step - 40] for name in expected}, expected)


def test_the_examples_of_a_step_are_those_that_its_rows_are_made_of(source: RecordSource) -> None:
    step = 5
    batch = dataset(source, seed=3)[step]
    rows = batching.examples_of_step(source, TASK.chunks_per_row, CONFIG, 3, step)
    assert [len(row) for row in rows] == [TASK.chunks_per_row] * CONFIG.batch_size
    for row, records in enumerate(rows):
        possible = {TOKENS.text_size + int(word) for record in records for word in record.visual_ids}
        ids = batch["token_ids"][row]
        unmasked = np.delete(ids, batch["prediction_positions"][row])
        assert set(unmasked[unmasked >= TOKENS.text_size].tolist()) <= possible
