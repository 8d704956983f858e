"""The files: complete, the same with any number of workers, resumed after an interruption, never of two settings."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import av
import pytest

from videobert_jax.errors import ConfigError
from videobert_jax.formats.questions import read_activitynet_qa
from videobert_jax.formats.recognise import read_annotations
from videobert_jax.kitchen.applications.corpus import make_corpus
from videobert_jax.kitchen.applications.longs import plan_longs
from videobert_jax.kitchen.applications.plan import SPLITS, Settings
from videobert_jax.kitchen.applications.shorts import plan_shorts
from videobert_jax.prepare.scan import scan

SETTINGS = Settings(short=30, long=3, width=32, height=32, fps=1.0, shortest=60, longest=60, viewers=5)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("applications") / "corpus"
    make_corpus(directory, SETTINGS, workers=1)
    return directory


def test_every_video_has_all_its_frames_and_subtitles(corpus: Path) -> None:
    videos = [*plan_shorts(SETTINGS), *plan_longs(SETTINGS)]
    assert len(videos) == 33
    for video in videos:
        with av.open(str(corpus / f"{video.name}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 32, 32)
            assert sum(1 for _ in container.decode(stream)) == round(video.duration)
        assert ("-->" in (corpus / f"{video.name}.vtt").read_text()) == (video.speech != "silent")


def test_our_own_readers_read_the_folder(corpus: Path) -> None:
    found = scan(corpus)
    assert not found.problems
    assert len(found.sources) == 33
    assert found.annotations == corpus / "annotations.json"
    annotations, _ = read_annotations(corpus / "annotations.json", [source.video_id for source in found.sources])
    assert len(annotations) == 33
    for split in SPLITS:
        questions, problems = read_activitynet_qa(corpus / f"{split}_q.json", corpus / f"{split}_a.json")
        assert not problems
        assert questions
        assert all(question.answer for question in questions)


def test_unsafe_acts_are_labelled_in_long_videos_too_and_the_other_labels_are_of_short_ones(corpus: Path) -> None:
    for name in ("action", "food", "tool", "scene", "sentiment", "unsafe"):
        kinds = {line.split(",")[1].split("_")[0] for line in (corpus / f"{name}.csv").read_text().splitlines()[1:]}
        assert kinds == ({"short", "long"} if name == "unsafe" else {"short"})


def test_the_folder_explains_itself(corpus: Path) -> None:
    readme = (corpus / "README.txt").read_text()
    assert "Apache-2.0" in readme
    others = {path.name for path in corpus.iterdir() if path.suffix not in (".mp4", ".vtt")} - {"README.txt"}
    assert len(others) == 18
    assert all(name in readme or name.replace("validation", "training").replace("testing", "training") in readme
               for name in others)  # fmt: skip
    assert json.loads((corpus / "settings.json").read_text())["short"] == 30
    assert (corpus / "histories.csv").read_text().splitlines()[0] == "user,item,timestamp,split"
    assert all(json.loads(line)["relevant_windows"] for line in (corpus / "moments.jsonl").read_text().splitlines())


@pytest.mark.slow
def test_the_files_do_not_depend_on_the_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "two", SETTINGS, workers=2)
    assert contents(tmp_path / "two") == contents(corpus)


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_keeps_what_is_done(corpus: Path, tmp_path: Path) -> None:
    for path in corpus.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    kept = tmp_path / "short_00000.mp4"
    before = kept.stat().st_mtime_ns
    (tmp_path / "short_00003.mp4").rename(tmp_path / ".short_00003.mp4.part")
    (tmp_path / ".short_00003.mp4.part").write_bytes(b"half a video")
    for name in ("README.txt", "moments.jsonl", "training_q.json"):
        (tmp_path / name).unlink()
    make_corpus(tmp_path, SETTINGS, workers=1)
    assert contents(tmp_path) == contents(corpus)
    assert kept.stat().st_mtime_ns == before


def test_a_complete_corpus_is_left_alone(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.iterdir()}
    make_corpus(corpus, SETTINGS, workers=0)
    assert {path: path.stat().st_mtime_ns for path in corpus.iterdir()} == before


def test_a_folder_with_other_settings_or_other_files_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds a corpus made with .*'seed': 0"):
        make_corpus(corpus, dataclasses.replace(SETTINGS, seed=1), workers=1)
    (tmp_path / "letter.txt").write_text("dear all")
    with pytest.raises(ConfigError, match=r"holds letter\.txt"):
        make_corpus(tmp_path, SETTINGS, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(short=0), "at least one short"),
        (Settings(width=33), "even numbers"),
        (Settings(shortest=700.0), "700.0 to 600.0"),
    ],
)
def test_impossible_settings_are_refused(settings: Settings, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        make_corpus(tmp_path / "corpus", settings, workers=1)
    assert not (tmp_path / "corpus").exists()


def test_a_failure_in_a_worker_is_loud(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, short=1, long=0)
    make_corpus(tmp_path, settings, workers=1)
    for name in ("README.txt", "short_00000.mp4", "short_00000.vtt"):
        (tmp_path / name).unlink()
    (tmp_path / "short_00000.vtt").mkdir()  # in the way
    with pytest.raises(OSError, match="short_00000"):
        make_corpus(tmp_path, settings, workers=1)
    assert not (tmp_path / "README.txt").exists()


@pytest.mark.slow
def test_the_command_says_what_is_wrong_and_where_the_corpus_is(corpus: Path, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]

    def command(*options: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, str(root / "launch" / "render.py"), *options]
        return subprocess.run(program, capture_output=True, text=True, check=False)

    refused = command(f"--output={corpus}")
    assert refused.returncode == 2
    assert "choose or empty a folder" in refused.stderr
    done = command(f"--output={tmp_path / 'new'}", "--short=1", "--long=0", "--workers=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "new")
    assert (tmp_path / "new" / "short_00000.mp4").exists()
