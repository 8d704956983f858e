"""The benchmark on GRID: what it makes of the files that people have."""

import json
import pathlib
import types
from collections.abc import Callable

import pytest

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


def test_too_few_sentences_are_refused(grid: types.ModuleType, tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match=r"has 0 pairs of \*\.mpg and \*\.align, expected more than 800"):
        grid.collect(tmp_path, tmp_path / "collection")
