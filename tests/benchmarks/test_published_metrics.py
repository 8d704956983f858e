"""The benchmark on published predictions, with clones made up here."""

import json
import pathlib
import sys
import types
from collections.abc import Callable

import pytest

PREDICTED = {
    "qid": 1,
    "pred_relevant_windows": [[50, 60, 0.2], [0, 10, 0.9]],
    "pred_saliency_scores": [0.9, 0.8, 0.1, 0.1, 0.1],
}
TRUE = {
    "qid": 1,
    "duration": 10,
    "relevant_windows": [[0, 10]],
    "relevant_clip_ids": [0, 1],
    "saliency_scores": [[4, 4, 4], [4, 4, 4]],
}


@pytest.fixture(scope="module")
def benchmark(benchmark_module: Callable[[str], types.ModuleType]) -> types.ModuleType:
    return benchmark_module("real/published_metrics.py")


@pytest.fixture
def moment_detr(tmp_path: pathlib.Path, benchmark: types.ModuleType) -> pathlib.Path:
    names = [
        *benchmark.MOMENTS,
        *(f"HL-min-{name}-{kind}" for name in benchmark.HIGHLIGHTS for kind in ("mAP", "Hit1")),
    ]
    brief = dict.fromkeys(names, 100.0) | {"MR-middle-mAP": float("nan"), "MR-long-mAP": float("nan")}
    clone = tmp_path / "moment_detr"
    for path, value in {
        "standalone_eval/sample_val_preds_metrics_raw.json": {"brief": brief},
        "standalone_eval/sample_val_preds.jsonl": PREDICTED,
        "data/highlight_val_release.jsonl": TRUE,
    }.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(json.dumps(value))
    return clone


@pytest.fixture
def next_qa(tmp_path: pathlib.Path) -> pathlib.Path:
    clone = tmp_path / "NExT-QA"
    (clone / "dataset" / "nextqa").mkdir(parents=True)
    (clone / "dataset" / "nextqa" / "val.csv").write_text(
        "video,question,qid,type\n7,why,0,CW\n7,when,1,TC\n8,what,0,DO\n"
    )
    (clone / "results").mkdir()
    answers = {
        "7_0": {"prediction": 1, "answer": 1},
        "7_1": {"prediction": 1, "answer": 2},
        "8_0": {"prediction": 0, "answer": 0},
    }
    (clone / "results" / "HGA-bert-ft-h256-val.json").write_text(json.dumps(answers))
    return clone


def run(benchmark: types.ModuleType, monkeypatch: pytest.MonkeyPatch, *folders: pathlib.Path) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["published_metrics.py", *map(str, folders)])
    with pytest.raises(SystemExit) as end:
        benchmark.main()
    return end.value.code


def test_figures_that_agree(
    benchmark: types.ModuleType,
    moment_detr: pathlib.Path,
    next_qa: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    published = {"all": 66.67, "causal": 100.0, "temporal": 0.0, "descriptive": 100.0}
    monkeypatch.setattr(benchmark, "NEXT_QA", published)
    assert run(benchmark, monkeypatch, moment_detr, next_qa) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(benchmark.MOMENTS) + 6 + len(published)
    assert "NExT-QA, all                66.6667    66.67" in lines


def test_a_figure_that_differs_ends_with_1(
    benchmark: types.ModuleType,
    next_qa: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(benchmark, "NEXT_QA", {"all": 66.66, "causal": 100.0})
    assert run(benchmark, monkeypatch, next_qa) == 1
    assert [line.endswith("differs") for line in capsys.readouterr().out.splitlines()] == [True, False]


def test_another_folder(
    benchmark: types.ModuleType,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(benchmark, monkeypatch, tmp_path) == 2
    assert "is a clone of neither repository" in capsys.readouterr().err
