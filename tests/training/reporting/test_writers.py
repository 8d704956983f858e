import json
import pathlib

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from videobert_jax.data import tfrecord
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir


def write(path: pathlib.Path, *steps: int, tail: str = "") -> None:
    path.write_text(
        "".join(json.dumps({"step": step, "loss": step / 10, "timing": {}}) + "\n" for step in steps) + tail
    )


def steps_of(path: pathlib.Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_a_mean_of_nothing_is_omitted() -> None:
    pairs = {"loss/text": (np.float32(6), np.float32(4)), "loss/video": (np.float32(0), np.float32(0))}
    assert writers.means(pairs) == {"loss/text": 1.5}


def test_resuming_forgets_later_lines_and_a_torn_one(tmp_path: pathlib.Path) -> None:
    path = Workdir(tmp_path).metrics
    write(path, 1, 2, 3, tail='{"step": 4, "lo')
    writer = writers.MetricsWriter(tmp_path / "metrics.jsonl", tmp_path / "tensorboard", step=2)
    assert steps_of(path) == [1, 2]
    writer.write(3, {"loss": 0.5}, {"seconds": 0.1})
    writer.close()
    assert steps_of(path) == [1, 2, 3]
    assert writers.summary(path) == {"step": 3, "loss": 0.5, "timing": {"seconds": 0.1}}


def test_damage_before_the_end_is_an_error(tmp_path: pathlib.Path) -> None:
    path = Workdir(tmp_path).metrics
    path.write_text('{"step": 1}\nnonsense\n{"step": 3}\n')
    with pytest.raises(OSError, match=r"metrics.jsonl, line 2, is not JSON"):
        writers.read(path)


def test_float32_survives_the_file(tmp_path: pathlib.Path) -> None:
    value = float(np.float32(1) / np.float32(3))
    writer = writers.MetricsWriter(tmp_path / "metrics.jsonl", tmp_path / "tensorboard", step=0)
    writer.write(1, {"loss": value}, {})
    writer.close()
    assert writers.read(Workdir(tmp_path).metrics)[0]["loss"] == value


def test_json_has_no_nan(tmp_path: pathlib.Path) -> None:
    writer = writers.MetricsWriter(tmp_path / "metrics.jsonl", tmp_path / "tensorboard", step=0)
    with pytest.raises(ValueError):
        writer.write(1, {"loss": float("nan")}, {})
    writer.close()
    assert Workdir(tmp_path).metrics.read_text() == ""


def test_tensorboard_is_told_to_forget_what_is_repeated(tmp_path: pathlib.Path) -> None:
    writer = writers.MetricsWriter(tmp_path / "metrics.jsonl", tmp_path / "tensorboard", step=2)
    writer.write(3, {"loss/text": 0.5}, {"seconds": 0.1})
    writer.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    shard = tfrecord.Shard(file)
    events = [event_pb2.Event.FromString(shard[i]) for i in range(len(shard))]
    assert [event.step for event in events if event.session_log.status == event_pb2.SessionLog.START] == [3]
    scalars = {(value.tag, event.step, value.simple_value) for event in events for value in event.summary.value}
    assert ("loss/text", 3, 0.5) in scalars
