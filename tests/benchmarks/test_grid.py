"""The benchmark on GRID: what it makes of the files that people have."""

import json
import pathlib
import sys
import types
from collections.abc import Callable

import pytest

from videobert_jax.training.workdir import Workdir

ALIGN = "0 17000 sil\n17000 23250 place\n23250 30000 blue\n30000 30500 sp\n30500 74500 sil\n"


@pytest.fixture(scope="module")
def grid(benchmark_module: Callable[[str], types.ModuleType]) -> types.ModuleType:
    return benchmark_module("real/grid.py")


def test_a_collection_is_what_prepare_reads(
    grid: types.ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "TRAINED", 3)
    for number in range(5):
        (tmp_path / "s1" / f"video{number}.mpg").parent.mkdir(exist_ok=True)
        (tmp_path / "s1" / f"video{number}.mpg").touch()
        (tmp_path / f"video{number}.align").write_text(ALIGN)
    (tmp_path / "alone.mpg").touch()
    target = grid.collect(tmp_path, tmp_path / "collection")
    assert (target / "video0.vtt").read_text() == (
        "WEBVTT\n\n00:00:00.680 --> 00:00:00.930\nplace\n\n00:00:00.930 --> 00:00:01.200\nblue\n"
    )
    database = json.loads((target / "annotations.json").read_text())["database"]
    assert database.keys() == {f"video{number}" for number in range(5)}
    assert sorted(one["subset"] for one in database.values()) == ["training"] * 3 + ["validation"] * 2
    assert database["video1"]["annotations"] == [{"segment": [0.68, 1.2], "sentence": "place blue"}]
    assert (target / "video4.mpg").resolve() == tmp_path / "s1" / "video4.mpg"
    before = (target / "video0.vtt").stat().st_mtime_ns
    grid.collect(tmp_path, tmp_path / "collection")
    assert (target / "video0.vtt").stat().st_mtime_ns == before, "what is there is not prepared again"


def test_settings_are_chosen_without_the_sentences_that_are_asked(
    grid: types.ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "TRAINED", 6)
    monkeypatch.setattr(grid, "CHOSEN_ON", 2)
    for number in range(10):
        (tmp_path / "s1" / f"video{number}.mpg").parent.mkdir(exist_ok=True)
        (tmp_path / "s1" / f"video{number}.mpg").touch()
        (tmp_path / "s1" / f"video{number}.align").write_text(ALIGN)

    def subsets(choose: bool) -> dict[str, list[str]]:
        target = grid.collect(tmp_path / "s1", tmp_path / f"choose-{choose}", choose)
        database = json.loads((target / "annotations.json").read_text())["database"]
        assert {path.stem for path in target.glob("*.mpg")} == database.keys()
        return {
            wanted: [name for name in database if database[name]["subset"] == wanted]
            for wanted in ("training", "validation")
        }

    result, choosing = subsets(False), subsets(True)
    assert [len(names) for names in choosing.values()] == [4, 2]
    assert sorted(choosing["training"] + choosing["validation"]) == result["training"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set=seed=3"], r"--set seed=3 has no effect; --seeds=N runs seeds 0 to N - 1"),
        (["--seeds=0"], r"--seeds=0, expected at least 1"),
        (["--only=late fusion"], r"--only=late fusion is not one of one visual word, .*; --ablations adds"),
    ],
)
def test_options_without_a_meaning_are_refused_before_any_work(
    grid: types.ModuleType,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["grid.py", str(tmp_path / "videos"), f"--output={tmp_path / 'runs'}", *options])
    with pytest.raises(SystemExit, match=message):
        grid.main()
    assert not (tmp_path / "runs").exists()


def test_too_few_sentences_are_refused(grid: types.ModuleType, tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match=r"has 0 pairs of \*\.mpg and \*\.align, expected more than 800"):
        grid.collect(tmp_path, tmp_path / "collection")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 17000 sil\n", "has no words"),
        ("0 place\n", "expected lines of start"),
        ("9 8 place\n", "the times of 'place' are out of order"),
        ("0 2000000 place\n", "or beyond 59"),
    ],
)
def test_times_that_cannot_be_read_are_named(
    grid: types.ModuleType, tmp_path: pathlib.Path, text: str, reason: str
) -> None:
    (tmp_path / "a.align").write_text(text)
    with pytest.raises(SystemExit, match=rf"a\.align.*{reason}"):
        grid.read_align(tmp_path / "a.align")


def test_a_finished_run_is_not_trained_again(
    grid: types.ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[object] = []

    def train_and_ask(values: dict[str, object], workdir: Workdir) -> object:
        trained.append(values["steps"])
        workdir.folder.mkdir(parents=True, exist_ok=True)
        return grid.Asked([50.0] * 6 + [40.0 + len(trained)], 19.0, 2.5, 0.0, 1.0)

    monkeypatch.setattr(grid, "train_and_ask", train_and_ask)
    for steps in (7, 7, 9):
        asked = grid.run("words", {"seed": 3, "steps": steps}, tmp_path, tmp_path)
    assert trained == [7, 9]
    assert asked.slots[-1] == 42
    assert capsys.readouterr().out.count("seed 3    50.0") == 3
    (tmp_path / "another.mpg").touch()
    grid.run("words", {"seed": 3, "steps": 9}, tmp_path, tmp_path)
    assert trained == [7, 9, 9], "other videos are another question"


def test_a_collection_follows_its_folder(
    grid: types.ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "TRAINED", 1)
    for folder, names in (("one", "ab"), ("two", "bcd")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.mpg").touch()
            (tmp_path / folder / f"{name}.align").write_text(ALIGN)
    target = grid.collect(tmp_path / "one", tmp_path / "collection")
    (tmp_path / "two").rename(tmp_path / "moved")
    for folder in ("moved", "one", "moved"):
        grid.collect(tmp_path / folder, target)
        links = {path.name: path.resolve() for path in target.glob("*.mpg")}
        assert links == {path.name: path for path in (tmp_path / folder).glob("*.mpg")}
        assert {path.stem for path in target.glob("*.vtt")} == {path.removesuffix(".mpg") for path in links}
