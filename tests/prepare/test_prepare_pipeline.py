"""Preparing a folder whole: good videos, every kind of bad one, and being stopped at any moment."""

import dataclasses
import errno
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
import tiny_corpus

from videobert_jax import config as config_lib
from videobert_jax.config import Config, KitchenConfig, PrepareConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.records import Record, RecordSource
from videobert_jax.errors import ConfigError, MissingError, PrepareError
from videobert_jax.kitchen import corpus as kitchen_corpus
from videobert_jax.prepare import pipeline, stages
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.prepare.rounds import Round
from videobert_jax.prepare.scan import scan
from videobert_jax.tokenizer import load
from videobert_jax.tokens import TokenSpace

ROOT = pathlib.Path(__file__).parent.parent.parent


def damaged_corpus(folder: pathlib.Path) -> None:
    """Three good videos among all that goes wrong."""
    tiny_corpus.write_corpus(folder, videos=3, seconds=6.0)
    whole_video, transcript = (folder / "video0.mp4").read_bytes(), (folder / "video0.vtt").read_bytes()
    for name in ("silent", "empty", "times", "garbled"):
        tiny_corpus.write_video(folder / f"{name}.mp4", seconds=2.0, seed=len(name))
    (folder / "empty.vtt").touch()
    tiny_corpus.write_vtt(folder / "times.vtt", [(1.5, 0.5, "Cut it."), (-1.0, 1.0, "No."), (1.2, 1.9, "Stir it.")])
    (folder / "garbled.vtt").write_bytes(b"\x00\x81\x8d\x00")
    (folder / "corrupt.mp4").write_bytes(whole_video[: len(whole_video) // 2])
    (folder / "corrupt.vtt").write_bytes(transcript)
    (folder / "zero.mp4").touch()
    (folder / "words.mp4").write_text("this is no video")
    tiny_corpus.write_sound(folder / "sound.mp4")
    for name in ("zero", "words", "sound", "orphan"):
        (folder / f"{name}.vtt").write_bytes(transcript)
    (folder / "again").mkdir()
    (folder / "again" / "video0.mp4").write_bytes(whole_video)
    (folder / "README.txt").write_text("an odd file")


@pytest.fixture(scope="module", autouse=True)
def _compile_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every worker process compiles the same network; here, only the first does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("corpus")
    damaged_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def cache(corpus: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A cache in which `corpus` has been prepared, without being stopped, by one worker."""
    cache = tmp_path_factory.mktemp("cache")
    prepare(tiny_corpus.config(corpus, cache))
    return cache


@pytest.fixture(scope="module")
def prepared(cache: pathlib.Path) -> pathlib.Path:
    (directory,) = cache.glob("prepared-*")
    return directory


@pytest.fixture(scope="module")
def good_corpus(corpus: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The good videos alone, whose features `cache` has."""
    folder = tmp_path_factory.mktemp("good")
    for path in corpus.glob("video*"):
        shutil.copy2(path, folder)
    return folder


@pytest.fixture(scope="module")
def good_prepared(good_corpus: pathlib.Path, cache: pathlib.Path, prepared: pathlib.Path) -> pathlib.Path:
    return prepare(tiny_corpus.config(good_corpus, cache), tiny_corpus.here).folder


@pytest.fixture
def cache_of_features(cache: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A cache in which only the features are there."""
    (store,) = cache.glob("features-*")
    shutil.copytree(store, tmp_path / "cache" / store.name)
    return tmp_path / "cache"


def records_of(prepared: pathlib.Path, split: str) -> list[Record]:
    return list(RecordSource(prepared / "records", split))


def test_what_is_bad_is_quarantined_with_its_reason(prepared: pathlib.Path) -> None:
    report = json.loads((prepared / "report.json").read_text())
    found = {(problem["item"], problem["stage"]): problem["reason"] for problem in report["quarantined"]}
    assert found == {
        ("again/video0.mp4", "scan"): "another video has the same id 'video0': video0.mp4",
        ("silent.mp4", "scan"): "video without a transcript: used for video-only examples",
        ("orphan.vtt", "scan"): "transcript without a video",
        ("corrupt.mp4", "features"): found["corrupt.mp4", "features"],
        ("zero.mp4", "features"): "the file is empty",
        ("words.mp4", "features"): found["words.mp4", "features"],
        ("sound.mp4", "features"): "no video stream",
        ("empty", "transcripts"): "the transcript is empty: used for video-only examples",
        ("garbled", "transcripts"): found["garbled", "transcripts"],
    }
    assert "not decodable" in found["corrupt.mp4", "features"]
    assert "not text" in found["garbled", "transcripts"]
    assert report["repairs"] == {"unreadable or empty cues": 1, "reversed times": 1, "overlapping cues": 1}
    assert (report["counts"]["videos"], report["counts"]["usable videos"]) == (11, 7)


def test_records_hold_the_rest(prepared: pathlib.Path) -> None:
    records = [record for split in ("train", "validation") for record in records_of(prepared, split)]
    assert {record.video_id for record in records} == {
        "video0",
        "video1",
        "video2",
        "silent",
        "empty",
        "times",
        "garbled",
    }
    tokens, words = TokenSpace.load(prepared / "tokens.json"), load(prepared / "tokenizer")
    assert words.token_space(tokens.visual_size) == tokens
    pictured = {int(path.stem) for path in (prepared / "vocabulary" / "frames").glob("*.jpg")}
    assert {word for record in records_of(prepared, "train") for word in record.visual_ids.tolist()} <= pictured
    assert pictured <= set(range(tokens.visual_size))
    said = {record.video_id: words.decode(record.token_ids.tolist()) for record in records if record.start_clip == 0}
    assert said["video1"].startswith("now we cut the apple")
    assert said["times"] == "cut it. stir it."
    assert said["silent"] == ""
    assert all(record.visual_ids.max() < tokens.visual_size for record in records)


def test_training_data_alone_shape_the_vocabularies(prepared: pathlib.Path) -> None:
    held_out = {record.video_id for record in records_of(prepared, "validation")}
    assert held_out == {"video0"}
    assert held_out.isdisjoint({record.video_id for record in records_of(prepared, "train")})
    heard = [load(prepared / "tokenizer").id_of(number) is not None for number in "012"]
    assert heard == [False, True, True]  # "the apple number 0" is said in the video that is held out


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(
    corpus: pathlib.Path, prepared: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = prepare(tiny_corpus.config(corpus, tmp_path, workers=2)).folder
    assert other.name == prepared.name
    assert tiny_corpus.contents(other) == tiny_corpus.contents(prepared)
    summary = capsys.readouterr().out
    assert "usable videos: 7" in summary
    assert "quarantined at features: 4" in summary
    assert "zero.mp4: the file is empty" in summary


class Killed(BaseException):
    """Stands for a kill -9 between two steps of the program."""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_stopped_at_one_step_after_the_other(
    good_corpus: pathlib.Path,
    good_prepared: pathlib.Path,
    cache_of_features: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
) -> None:
    """Run n ends just before or after its n-th file or folder becomes whole; the last as if none had been stopped."""
    deaths = 0
    while True:
        monkeypatch.setattr(pathlib.Path, "replace", deadly_replace(deaths + 1, before))
        try:
            prepared = prepare(tiny_corpus.config(good_corpus, cache_of_features), tiny_corpus.here).folder
        except Killed:
            deaths += 1
        else:
            break
        finally:
            monkeypatch.undo()
    assert deaths >= 3
    assert tiny_corpus.contents(prepared) == tiny_corpus.contents(good_prepared)


def deadly_replace(last: int, before: bool) -> Callable[[pathlib.Path, pathlib.Path], None]:
    """A `Path.replace` that ends the program before or after its `last` call."""
    replace = pathlib.Path.replace
    calls = itertools.count(1)

    def replace_or_die(path: pathlib.Path, target: pathlib.Path) -> None:
        call = next(calls)
        if not (before and call == last):
            replace(path, target)
        if call == last:
            raise Killed

    return replace_or_die


def start(config: Config, tmp_path: pathlib.Path) -> subprocess.Popen[bytes]:
    """Prepares in a process of its own."""
    (tmp_path / "config.json").write_text(config_lib.to_json(config))
    program = (
        "import pathlib, sys\n"
        "from videobert_jax import config\n"
        "from videobert_jax.prepare.pipeline import prepare\n"
        "if __name__ == '__main__': prepare(config.load(pathlib.Path(sys.argv[1])))\n"
    )
    (tmp_path / "program.py").write_text(program)
    return subprocess.Popen([sys.executable, tmp_path / "program.py", tmp_path / "config.json"], cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["features-*/*.npz", "prepared-*/sentences/*", "prepared-*/vocabulary"])
def test_killed_for_real(
    good_corpus: pathlib.Path,
    good_prepared: pathlib.Path,
    cache_of_features: pathlib.Path,
    tmp_path: pathlib.Path,
    moment: str,
) -> None:
    """kill -9 once the first file of a stage is there; the same call then ends with the same bytes."""
    if moment.startswith("features"):
        shutil.rmtree(cache_of_features)
    config = tiny_corpus.config(good_corpus, cache_of_features)
    process = start(config, tmp_path)
    while process.poll() is None and not list(cache_of_features.glob(moment)):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert tiny_corpus.contents(prepare(config).folder) == tiny_corpus.contents(good_prepared)


def test_a_finished_preparation_is_found_without_work(
    good_corpus: pathlib.Path, good_prepared: pathlib.Path, cache: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """No library that takes long to import, no file written."""
    (tmp_path / "config.json").write_text(config_lib.to_json(tiny_corpus.config(good_corpus, cache)))
    program = (
        "import pathlib, sys\n"
        "from videobert_jax import config\n"
        "from videobert_jax.prepare.pipeline import prepare\n"
        "print(prepare(config.load(pathlib.Path(sys.argv[1]))).folder.name)\n"
        "assert not {'jax', 'av', 'scipy', 'tokenizers'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", program, tmp_path / "config.json"]
    assert subprocess.check_output(command, cwd=ROOT).decode().split() == [good_prepared.name]


def test_features_of_unchanged_videos_are_taken_over(
    good_corpus: pathlib.Path, good_prepared: pathlib.Path, cache: pathlib.Path
) -> None:
    """Another sentence length gives another folder, and no video is decoded again."""
    other = prepare(tiny_corpus.config(good_corpus, cache, max_sentence_words=3), tiny_corpus.here).folder
    assert other != good_prepared
    for file in (good_prepared / "features").iterdir():
        assert file.samefile(other / "features" / file.name)
    assert len(list(other.glob("features/*"))) == 3
    counts = json.loads((other / "manifest.json").read_text())["counts"]
    before = json.loads((good_prepared / "manifest.json").read_text())["counts"]
    assert counts["train sentences"] > before["train sentences"]


def test_sentences_after_the_end_are_counted(
    good_corpus: pathlib.Path,
    cache_of_features: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "late"
    shutil.copytree(good_corpus, folder)
    cues = [(1.0, 2.0, "Cut it."), (6.0, 7.0, "Stir it."), (3600.0, 3601.0, "Serve it.")]
    tiny_corpus.write_vtt(folder / "video0.vtt", cues)
    for index in (1, 2):
        tiny_corpus.write_vtt(folder / f"video{index}.vtt", cues[1:])
    prepared = prepare(tiny_corpus.config(folder, cache_of_features), tiny_corpus.here).folder
    found = json.loads((prepared / "report.json").read_text())["quarantined"]
    reasons = [f"{late} sentences begin after the last clip" for late in ("2 of 3", "2 of 2", "2 of 2")]
    assert [problem["reason"] for problem in found] == reasons
    assert {problem["stage"] for problem in found} == {"alignment"}
    assert "no sentence is said during a training video" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["touched video", "touched transcript", "new transcript", "new annotations"])
def test_what_changes_gets_a_folder_of_its_own(tmp_path: pathlib.Path, change: str) -> None:
    for name in ("a.mp4", "a.vtt", "b.mp4"):
        (tmp_path / name).write_text("x")
    config = PrepareConfig()
    before = pipeline._key(config, scan(tmp_path))
    if change.startswith("touched"):
        os.utime(tmp_path / ("a.mp4" if "video" in change else "a.vtt"), ns=(1, 1))
    else:
        (tmp_path / ("b.vtt" if "transcript" in change else "annotations.json")).write_text("x")
    assert pipeline._key(config, scan(tmp_path)) != before
    assert pipeline._key(dataclasses.replace(config, workers=7), scan(tmp_path)) == pipeline._key(
        config, scan(tmp_path)
    )
    assert pipeline._key(dataclasses.replace(config, depth=2), scan(tmp_path)) != pipeline._key(config, scan(tmp_path))


def test_annotations_give_the_split_and_the_captions(
    good_corpus: pathlib.Path, cache_of_features: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "annotated"
    shutil.copytree(good_corpus, folder)  # with the times of the files
    segments = [{"segment": [0.4, 2.6], "sentence": "cut the apple"}, {"segment": [7, 8], "sentence": "too late"}]
    database = {
        "video1": {"subset": "validation", "annotations": segments},
        "video2": {"subset": "testing", "annotations": [{"segment": [0.4, 2.6], "sentence": "stir it"}]},
    }
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    prepared = prepare(tiny_corpus.config(folder, cache_of_features), tiny_corpus.here).folder
    held_out = records_of(prepared, "validation")
    assert {record.video_id for record in held_out} == {"video1"}
    assert [text for record in held_out for text in record.captions] == ["cut the apple"]
    assert "video2" not in {record.video_id for record in records_of(prepared, "train")}
    tests = records_of(prepared, "test")
    assert {record.video_id for record in tests} == {"video2"}
    assert [text for record in tests for text in record.captions] == ["stir it"]
    assert Prepared(prepared).splits == ("test", "train", "validation")
    quarantined = json.loads((prepared / "report.json").read_text())["quarantined"]
    assert {
        "item": "video1, 'too late'",
        "stage": "alignment",
        "reason": "begins after the last clip",
    } in quarantined


def test_a_single_video_is_on_both_sides(
    corpus: pathlib.Path, cache_of_features: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy2(corpus / "video1.mp4", folder)
    prepared = prepare(tiny_corpus.config(folder, cache_of_features, branching=9), tiny_corpus.here).folder
    assert len(records_of(prepared, "train")) == len(records_of(prepared, "validation")) > 0
    warnings = capsys.readouterr().out
    assert "the only video is both trained on and held out" in warnings
    assert "no sentence is said during a training video" in warnings
    assert re.search(r"[1-6] of 81 visual words are in use", warnings)


def test_wrong_settings_fail_before_any_work(corpus: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.prepare\.workers is -1, expected"):
        prepare(tiny_corpus.config(corpus, tmp_path, workers=-1))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="backbone 'none' is not known"):
        prepare(tiny_corpus.config(corpus, tmp_path, backbone="none"))
    with pytest.raises(MissingError, match=r"there is no tokenizer folder .*none"):
        prepare(tiny_corpus.config(corpus, tmp_path, tokenizer=str(tmp_path / "none")))
    assert not list(tmp_path.glob("features-*"))


def test_without_videos_the_kitchen_corpus_is_made(
    corpus: pathlib.Path, cache_of_features: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_corpus(directory: pathlib.Path, kitchen: KitchenConfig, workers: int) -> None:
        directory.mkdir(exist_ok=True)
        for path in corpus.glob("video[12].*"):
            shutil.copy2(path, directory)

    monkeypatch.setattr(kitchen_corpus, "make_corpus", make_corpus)
    config = tiny_corpus.config(corpus, cache_of_features)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, videos=""))
    prepared = prepare(config, tiny_corpus.here).folder
    assert json.loads((prepared / "manifest.json").read_text())["counts"]["videos"] == 2
    prepare(dataclasses.replace(config, kitchen=KitchenConfig(seed=7)), tiny_corpus.here)
    assert len(list(cache_of_features.glob("kitchen-*/"))) == 2
    assert len(list(cache_of_features.glob("prepared-*/"))) == 1


@pytest.mark.slow
def test_nothing_usable_is_an_error_that_says_why(tmp_path: pathlib.Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "zero.mp4").touch()
    with pytest.raises(PrepareError, match="none of 1 videos can be used") as caught:
        prepare(tiny_corpus.config(tmp_path / "videos", tmp_path / "cache"))
    assert "zero.mp4: the file is empty" in str(caught.value)
    (report,) = tmp_path.glob("cache/prepared-*/report.json")
    assert len(json.loads(report.read_text())["quarantined"]) == 2


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError("write() failed: No space left on device; writing x")]
)
def test_a_full_disk_loses_nothing_finished(
    good_corpus: pathlib.Path,
    good_prepared: pathlib.Path,
    cache_of_features: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def full(*_: object) -> None:
        raise error

    def again(*_: object) -> None:
        raise AssertionError("this stage was finished")

    config = tiny_corpus.config(good_corpus, cache_of_features)
    monkeypatch.setattr(stages, "write_shard", full)
    with pytest.raises(PrepareError, match=r"is full; what is finished is kept: .* run the same command again"):
        prepare(config, tiny_corpus.here)
    monkeypatch.undo()
    for stage in ("extract", "write_narrations", "fit_videos"):
        monkeypatch.setattr(stages, stage, again)
    assert tiny_corpus.contents(prepare(config, tiny_corpus.here).folder) == tiny_corpus.contents(good_prepared)


def test_a_cache_that_cannot_be_written_is_an_error(corpus: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PrepareError, match=r"--config\.data\.cache"):
        prepare(tiny_corpus.config(corpus, tmp_path / "file" / "cache"))


def test_shards_that_are_whole_are_kept(
    good_corpus: pathlib.Path, cache_of_features: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed among the records makes only those that are missing."""
    config = tiny_corpus.config(good_corpus, cache_of_features, videos_per_shard=1)
    prepared = prepare(config, tiny_corpus.here).folder
    before = tiny_corpus.contents(prepared)
    for name in ("manifest.json", "records/dataset_info.json", "records/train-00001-of-00002.json"):
        (prepared / name).unlink()
    written = []
    write_shard = stages.write_shard
    monkeypatch.setattr(
        stages, "write_shard", lambda path, *rest: written.append(path.name) or write_shard(path, *rest)
    )
    assert tiny_corpus.contents(prepare(config, tiny_corpus.here).folder) == before
    assert written == [".videobert-train.array_record-00001-of-00002.part"]


def test_where_nobody_speaks_the_captions_give_the_words(
    good_corpus: pathlib.Path, cache_of_features: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "silent"
    shutil.copytree(good_corpus, folder, ignore=shutil.ignore_patterns("*.vtt"))
    entries = {"video0": "validation", "video1": "training"}
    database = {
        name: {"subset": subset, "annotations": [{"segment": [0, 2], "sentence": "wash the tomato"}]}
        for name, subset in entries.items()
    }
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    prepared = prepare(tiny_corpus.config(folder, cache_of_features), tiny_corpus.here).folder
    assert load(prepared / "tokenizer").id_of("tomato") is not None
    quarantined = json.loads((prepared / "report.json").read_text())["quarantined"]
    assert {problem["item"] for problem in quarantined} == {"all 3 videos", "1 videos"}  # silent; named by nobody


def test_the_end_of_a_round_may_come_twice(
    good_corpus: pathlib.Path, good_prepared: pathlib.Path, cache_of_features: pathlib.Path
) -> None:
    """As where a runner of many machines is not sure that it came."""

    def unsure(rounds: Sequence[Round]) -> None:
        for current in rounds:
            results = {item: current.work(item) for item in current.items()}
            current.finish(results)
            current.finish(results)

    prepared = prepare(tiny_corpus.config(good_corpus, cache_of_features), unsure).folder
    assert tiny_corpus.contents(prepared) == tiny_corpus.contents(good_prepared)
