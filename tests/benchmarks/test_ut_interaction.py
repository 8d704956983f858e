"""The benchmark on UT-Interaction: what it makes of the files that people have."""

import pathlib
import sys
import types
from collections.abc import Callable

import numpy as np
import pytest

from videobert_jax.data.prepared import TRAIN, VALIDATION
from videobert_jax.formats.recognise import read_annotations
from videobert_jax.training.workdir import Workdir


@pytest.fixture(scope="module")
def ut(benchmark_module: Callable[[str], types.ModuleType]) -> types.ModuleType:
    return benchmark_module("real/ut_interaction.py")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two sets of three sequences of six classes, and what else lies beside them."""
    for one in (1, 2):
        place = tmp_path / f"ut-interaction_segmented_set{one}" / f"segmented_set{one}"
        (place / "vOut").mkdir(parents=True)
        for index in range(18):
            (place / f"{index}_{10 * (one - 1) + index // 6 + 1}_{index % 6}.avi").touch()
        for name in ("18_1_6.avi", "19_1.avi", "vOut/0_1_4.avi"):
            (place / name).touch()
    return tmp_path


def test_segments_are_found_by_their_names(ut: types.ModuleType, folder: pathlib.Path) -> None:
    segments = ut.find(folder)
    assert len(segments) == 36
    assert [(one.name, one.set, one.sequence, one.label) for one in segments[-9:-6]] == [
        ("set2-9_12_3", 2, 12, 3),
        ("set2-10_12_4", 2, 12, 4),
        ("set2-11_12_5", 2, 12, 5),
    ]
    assert ut.sequences(segments, 1) == [1, 2, 3]
    assert ut.sequences(segments, 2) == [11, 12, 13]


def test_a_folder_without_two_sets_is_refused(ut: types.ModuleType, folder: pathlib.Path) -> None:
    place = folder / "ut-interaction_segmented_set1"
    with pytest.raises(SystemExit, match=r"set1 has 0 segments of set 2, expected those of 6 classes in two seq"):
        ut.find(place)
    (folder / "set1").mkdir()
    (folder / "set1" / "3_2_5.avi").touch()
    with pytest.raises(SystemExit, match=r"have one index in one set"):
        ut.find(folder)


def test_no_sequence_is_on_both_sides(ut: types.ModuleType, folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    segments = ut.find(folder)
    for one in ut.SETS:
        of_set = {segment.name: segment for segment in segments if segment.set == one}
        asked: list[str] = []
        for sequence in ut.sequences(segments, one):
            truth = ut.annotations(segments, one, sequence)
            ut.write_once(tmp_path / "fold.json", truth)
            read, problems = read_annotations(tmp_path / "fold.json", of_set)
            assert not problems
            assert read.keys() == of_set.keys()
            sides = {
                split: {of_set[name].sequence for name, video in read.items() if video.split == split}
                for split in (TRAIN, VALIDATION)
            }
            assert sides == {VALIDATION: {sequence}, TRAIN: set(ut.sequences(segments, one)) - {sequence}}
            for name, video in read.items():
                assert [caption.text for caption in video.captions] == [ut.CLASSES[of_set[name].label]]
            asked += [name for name, video in read.items() if video.split == VALIDATION]
        assert sorted(asked) == sorted(of_set), "each segment is asked about once"


def test_a_collection_follows_its_folder(ut: types.ModuleType, folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    segments = [segment for segment in ut.find(folder) if segment.set == 1]
    target = tmp_path / "out" / "set1"
    ut.collect(segments, target)
    ut.collect(segments[1:], target)
    assert {path.stem: path.resolve() for path in target.iterdir()} == {one.name: one.path for one in segments[1:]}


def test_the_other_set_is_seen_before_and_no_fold_twice(
    ut: types.ModuleType,
    folder: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> types.SimpleNamespace:
        commands.append(command)
        workdir = Workdir(pathlib.Path(command[-1].removeprefix("--workdir=")))
        ut.write_json(workdir.evaluation("classification"), {"confusions": np.eye(6, dtype=int).tolist()})
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(ut.subprocess, "run", run)
    segments = ut.find(folder)
    for one in ut.SETS:
        ut.collect([segment for segment in segments if segment.set == one], tmp_path / "out" / f"set{one}")
    folds = {1: [1, 2], 2: [11]}
    for _ in range(2):
        confusions = ut.ask({"seed": 0, "steps": 7}, segments, folds, tmp_path / "out")
        np.testing.assert_array_equal(confusions, [2 * np.eye(6), np.eye(6)])
    assert "set1-sequence2: 6 of 6 right, 0.0 min; 12 of 12 so far" in capsys.readouterr().out

    def value(command: list[str], key: str) -> str:
        return next(option.partition("=")[2] for option in command if option.startswith(f"--{key}="))

    assert len(commands) == 5, "what is finished does not run again"
    for command, own, start in zip(commands, (2, 1, 1, 1, 2), (None, 2, 2, None, 1), strict=True):
        assert value(command, "config.data.videos").endswith(f"out/set{own}")
        assert (f"pretrained-set{start}-" in value(command, "config")) is (start is not None)
        assert (value(command, "config.steps") == "7") is (start is not None)
    ut.ask({"seed": 0, "steps": 8}, segments, {1: [1], 2: []}, tmp_path / "out")
    assert len(commands) == 6, "another number of steps is another run, from the same start"


def test_a_run_that_fails_ends_the_benchmark(
    ut: types.ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ut.subprocess, "run", lambda *_, **__: types.SimpleNamespace(returncode=3))
    with pytest.raises(SystemExit, match=r"main\.py --config=some .* ended with 3; see .*log\.txt"):
        ut.trained("run", "some", {"data.videos": str(tmp_path)}, tmp_path)


def test_parts_of_a_segment(ut: types.ModuleType) -> None:
    clips = np.arange(8, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(ut.pyramid(clips, np.max), [7, 3, 7, 1, 3, 5, 7])
    np.testing.assert_array_equal(ut.pyramid(clips, np.mean), [3.5, 1.5, 5.5, 0.5, 2.5, 4.5, 6.5])
    np.testing.assert_array_equal(ut.pyramid(clips[:1], np.max), [0] * 7)


def test_the_table(ut: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    confusions = np.zeros((2, 2, 6, 6), int)
    confusions[:, 0] = 2 * np.eye(6, dtype=int)
    confusions[:, 1] = np.eye(6, dtype=int)
    confusions[1, 1, 4] = [0, 0, 0, 0, 0, 1]
    ut.print_asked("features", confusions)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.split() == ["features", "100.0", "+-", "0.0", "91.7", "+-", "11.8"]
    assert rest[-2].split() == ["punch", "0", "0", "0", "0", "1", "1"]
    ut.print_row("published", (85.0, None))
    assert capsys.readouterr().out.split() == ["published", "85.0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set=seed=3"], r"--set seed=3 has no effect; --seeds=N runs seeds 0 to N - 1"),
        (["--seeds=0"], r"--seeds=0 --folds=0, expected at least 1 and at least 0"),
        (["--only=without pretraining"], r"--only=without pretraining is not one of features; --ablations adds"),
        ([], r"nowhere is no folder"),
    ],
)
def test_options_without_a_meaning_are_refused_before_any_work(
    ut: types.ModuleType,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    output = tmp_path / "runs"
    monkeypatch.setattr(sys, "argv", ["ut_interaction.py", str(tmp_path / "nowhere"), f"--output={output}", *options])
    with pytest.raises(SystemExit, match=message):
        ut.main()
    assert not output.exists()
