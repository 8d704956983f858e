import json
import pathlib
import re
import shutil
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run

from videobert_jax.data.records import RecordSource
from videobert_jax.errors import ConfigError, RecordError
from videobert_jax.training.program import Program
from videobert_jax.training.reporting import goodput, non_finite, writers
from videobert_jax.training.state import TrainState
from videobert_jax.training.workdir import Workdir

QKV = "encoder/layers/attention/qkv"


@pytest.mark.slow
def test_a_run_learns_and_a_complete_one_does_not_train_again(
    prepared: pathlib.Path, cache: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_run.tiny_config(cache)
    summary = tiny_run.train(config, tmp_path, prepared)
    lines = writers.read(Workdir(tmp_path).metrics)
    trained, held_out = ([line for line in lines if name in line] for name in ("loss", "held_out/loss"))
    assert [line["step"] for line in trained] == list(range(1, 13))
    assert [line["step"] for line in held_out] == [2, 4, 6, 8, 10, 12]
    assert held_out[-1]["held_out/loss"] < held_out[0]["held_out/loss"] - 0.1
    assert trained[-1]["timing"].keys() == {"seconds", "tokens_per_second", "mfu", "input_wait", "goodput"}
    assert all(0 <= line["timing"]["input_wait"] < 1 for line in trained)
    (attempt,) = goodput.read(Workdir(tmp_path).goodput)
    assert (attempt.first, attempt.last) == (0, 12)
    assert all(spent > 0 for spent in attempt.seconds.values()), attempt.seconds
    assert trained[0]["fill"] > 0.8
    assert summary["step"] == 12
    assert summary["held_out/loss"] == held_out[-1]["held_out/loss"]
    shown = capsys.readouterr().err
    assert "train: step 12/12, loss" in shown
    assert re.search(r"train: goodput \d+\.\d% of \d+ s in 1 start; ", shown)

    before = Workdir(tmp_path).metrics.read_bytes()
    assert tiny_run.train(config, tmp_path, prepared) == summary
    assert Workdir(tmp_path).metrics.read_bytes() == before


@pytest.mark.slow
def test_steps_are_traced_on_request(prepared: pathlib.Path, cache: pathlib.Path, tmp_path: pathlib.Path) -> None:
    config = tiny_run.measured_by(tiny_run.tiny_config(cache, steps=4))
    tiny_run.train(config, tmp_path, prepared, profile_steps=range(2, 4))
    (trace,) = Workdir(tmp_path).profile.rglob("*.xplane.pb")
    planes = jax.profiler.ProfileData.from_file(str(trace)).planes
    names = [event.name for plane in planes for line in plane.lines for event in line.events]
    steps = [name for name in names if name.startswith("train")]
    assert len(steps) == 2, steps


@pytest.mark.slow
def test_a_non_finite_step_is_not_saved_or_logged(prepared, cache, tmp_path, monkeypatch) -> None:
    init = Program.init

    def overflowing(program: Program, *args: Any) -> TrainState:
        state = init(program, *args)
        return state.replace(params=jax.tree.map(lambda x: x * 1e15, state.params))

    monkeypatch.setattr(Program, "init", overflowing)
    with pytest.raises(FloatingPointError, match=r"step 1: .*loss is (nan|inf).*Nothing of this step is saved"):
        tiny_run.train(tiny_run.tiny_config(cache, checkpoint={"every": 1}), tmp_path, prepared)
    assert not list((tmp_path / "checkpoints").iterdir())
    (attempt,) = goodput.read(Workdir(tmp_path).goodput)
    assert (attempt.first, attempt.last) == (0, 0)
    assert attempt.seconds["compile"] > 0
    assert Workdir(tmp_path).metrics.read_text() == ""
    report = json.loads(Workdir(tmp_path).non_finite.read_text())
    assert report["step"] == 1
    assert report["metrics"]["loss"] in ("nan", "inf")
    assert len(report["examples"]) == 8
    assert report["examples"][0][0].keys() == {"video", "start_clip"}
    assert len(report["gradients"][QKV]) == 2
    assert report["gradients"]["prediction_head/norm"] in ("nan", "inf")


def test_the_report_has_the_norms_of_the_parameters_before_the_update(prepared, cache, tmp_path) -> None:
    """They come from the metrics of the previous step."""

    def metrics_of(loss: float, gradient: float, parameter: float) -> dict[str, Any]:
        norms = np.array([gradient, parameter], np.float32)
        return {"loss": (loss, 1.0), "norms": (norms, 0.0)}

    record = RecordSource(prepared / "records", "train")[0]
    shapes = {"pooler": {"kernel": jax.ShapeDtypeStruct((2, 2), "float32")}}
    with (
        pytest.raises(non_finite.NonFiniteError, match="step 3: loss is inf"),
        non_finite.written_down(Workdir(tmp_path).non_finite, lambda step: [[record]] * step, shapes),
    ):
        non_finite.finite_means(3, metrics_of(np.inf, np.inf, np.nan), metrics_of(1.0, 2.0, 3.0))
    report = json.loads(Workdir(tmp_path).non_finite.read_text())
    assert report["examples"] == [[{"video": record.video_id, "start_clip": 0}]] * 2
    assert report["gradients"] == {"pooler": "inf"}
    assert report["parameters"] == {"pooler": 3.0}


def test_a_loader_that_dies_ends_the_run(prepared, cache, tmp_path) -> None:
    damaged = shutil.copytree(prepared, tmp_path / "prepared")
    for shard in (damaged / "records").glob("videobert-train*"):
        data = bytearray(shard.read_bytes())
        data[100:-100:50] = b"\0" * len(data[100:-100:50])
        shard.write_bytes(data)
    with pytest.raises(RecordError, match="videobert-train"):
        tiny_run.train(tiny_run.tiny_config(cache), tmp_path / "run", damaged)


def test_an_invalid_config_is_refused_before_any_work(prepared, cache, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"config\.evaluators\.held_out\.batches is 0, expected .*; set --config\."):
        tiny_run.train(tiny_run.tiny_config(cache, evaluators={"held_out": {"batches": 0}}), tmp_path / "run", prepared)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_metric_that_is_not_measured_is_named_and_costs_no_step(prepared, cache, tmp_path) -> None:
    config = tiny_run.tiny_config(cache, steps=4, checkpoint={"metric": "held_out/los", "every": 4})
    with pytest.raises(ConfigError, match=r"metric is 'held_out/los', but held_out measures .*, loss, loss/"):
        tiny_run.train(config, tmp_path, prepared)
    assert [path.name for path in Workdir(tmp_path).checkpoints.glob("[0-9]*")] == ["2"]
