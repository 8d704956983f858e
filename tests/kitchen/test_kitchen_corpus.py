"""The corpus files (mp4, vtt, annotations) do not depend on the number of processes or on interruptions."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
import webvtt

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen.corpus import make_corpus
from videobert_jax.kitchen.recipes import plan_videos

CONFIG = KitchenConfig(num_videos=5, width=80, height=60, fps=4.0)  # an odd number of macroblocks: see ENCODER_OPTIONS


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("kitchen") / "corpus"
    make_corpus(directory, CONFIG, workers=1)
    return directory


def test_videos_decode_to_the_planned_frames(corpus: Path) -> None:
    for video in plan_videos(CONFIG):
        with av.open(str(corpus / f"{video.name}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height, float(stream.average_rate or 0)) == (80, 60, 4.0)
            times = [frame.time for frame in container.decode(stream)]
        assert times == pytest.approx([index / 4 for index in range(round(video.duration * 4))])


def test_annotations_follow_the_schema_of_youcook2(corpus: Path) -> None:
    database = json.loads((corpus / "annotations.json").read_text())["database"]
    assert sorted(database) == [path.stem for path in sorted(corpus.glob("*.mp4"))]
    for video in plan_videos(CONFIG):
        entry = database[video.name]
        assert entry["subset"] == video.subset
        assert entry["duration"] == video.duration
        assert [a["id"] for a in entry["annotations"]] == list(range(len(video.steps)))
        assert [a["sentence"] for a in entry["annotations"]] == [f"{s.verb} the {s.object}" for s in video.steps]
        assert [a["segment"] for a in entry["annotations"]] == [[s.start, s.end] for s in video.steps]


def test_every_video_has_its_narration_and_the_folder_its_licence(corpus: Path) -> None:
    assert all(len(webvtt.read(str(path.with_suffix(".vtt")))) > 2 for path in corpus.glob("*.mp4"))
    assert "Apache-2.0" in (corpus / "README.txt").read_text()
    assert not list(corpus.glob("*.part"))


@pytest.mark.slow
def test_the_files_do_not_depend_on_the_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "two", CONFIG, workers=2)
    assert contents(tmp_path / "two") == contents(corpus)


def test_a_stopped_run_goes_on_and_keeps_what_is_done(corpus: Path, tmp_path: Path) -> None:
    for path in corpus.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    kept = tmp_path / "kitchen_00000.mp4"
    before = kept.stat().st_mtime_ns
    (tmp_path / "kitchen_00003.mp4").rename(tmp_path / ".kitchen_00003.mp4.part")
    (tmp_path / ".kitchen_00003.mp4.part").write_bytes(b"half a video")
    (tmp_path / "annotations.json").unlink()
    make_corpus(tmp_path, CONFIG, workers=1)
    assert contents(tmp_path) == contents(corpus)
    assert kept.stat().st_mtime_ns == before


def test_a_complete_corpus_is_left_alone(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.iterdir()}
    make_corpus(corpus, CONFIG, workers=0)
    assert {path: path.stat().st_mtime_ns for path in corpus.iterdir()} == before


def test_a_folder_with_other_settings_is_refused(corpus: Path) -> None:
    with pytest.raises(ValueError, match=r"holds a corpus made with .*'seed': 0"):
        make_corpus(corpus, dataclasses.replace(CONFIG, seed=1), workers=1)


def test_a_failure_in_a_worker_is_loud(tmp_path: Path) -> None:
    (tmp_path / "kitchen_00000.vtt").mkdir()  # in the way
    with pytest.raises(OSError, match="kitchen_00000"):
        make_corpus(tmp_path, CONFIG, workers=1)
    assert not (tmp_path / "annotations.json").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_files(corpus: Path, tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from videobert_jax.config import KitchenConfig\n"
        "from videobert_jax.kitchen.corpus import make_corpus\n"
        "if __name__ == '__main__':\n"
        f"    make_corpus(pathlib.Path(sys.argv[1]), {CONFIG!r}, 2)\n"
    )
    (tmp_path / "run.py").write_text(program)
    target = tmp_path / "corpus"
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, str(tmp_path / "run.py"), str(target)],
                               env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(target.glob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = len(list(target.glob("*.mp4")))
    assert 0 < made < CONFIG.num_videos
    assert not (target / "annotations.json").exists()
    make_corpus(target, CONFIG, workers=1)
    assert contents(target) == contents(corpus)
