"""Preparing videos whose transcripts and annotations are in other published formats, from files to records."""

import dataclasses
import io
import json
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import PIL.Image
import pytest
import tiny_corpus

from videobert_jax.config import Config, PrepareConfig
from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.records import RecordSource
from videobert_jax.errors import PrepareError
from videobert_jax.prepare import pipeline, stages
from videobert_jax.prepare.factors import factors
from videobert_jax.prepare.narrations import read_narrations
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.prepare.scan import scan

COLUMNS = {"start": [0.2, 1.5], "end": [1.4, 2.8], "text": ["now chop the onion", "then stir it"]}
EVENTS = {
    "events": [{"tStartMs": 200, "dDurationMs": 1500, "segs": [{"utf8": "peel"}, {"utf8": " it", "tOffsetMs": 9}]}]
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Videos with transcripts in one format each, and files in other folders."""
    folder = tmp_path_factory.mktemp("formats")
    for index, name in enumerate("abcde"):  # nobody looks at them
        path = folder / "videos" / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([index]))
    (folder / "videos" / "a.json3").write_text(json.dumps(EVENTS))
    (folder / "videos" / "b.csv").write_text("start,end,text\n0.2,1.5,fry the egg\n")
    captions = {"d": COLUMNS, "unknown": COLUMNS, "c": COLUMNS, "a": COLUMNS}
    (folder / "raw_caption.json").write_text(json.dumps(captions))
    (folder / "truth").mkdir()
    for name, videos in {"train": "abc", "val_1": "d", "val_2": "d"}.items():
        entry = {"duration": 3.0, "timestamps": [[0, 2]], "sentences": [f"cook of {name}"]}
        (folder / "truth" / f"{name}.json").write_text(json.dumps({f"v_{video}": entry for video in videos}))
    (folder / "truth" / "1k-A.csv").write_text("key,vid_key,video_id,sentence\nret0,msre,e,cook of 1k-A\n")
    return folder


def configured(folder: pathlib.Path, cache: pathlib.Path, **data: str) -> Config:
    config = tiny_corpus.config(folder / "videos", cache)
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **data))


def imagined(config: PrepareConfig, directory: pathlib.Path, video: tuple[str, str]) -> None:
    """Writes features of three clips in place of `extract`, which takes many times as long as everything else."""
    width = sum(part.size for parts in factors(config) for part in parts)
    with io.BytesIO() as file:
        PIL.Image.new("RGB", (32, 32)).save(file, "jpeg")
        jpeg = file.getvalue()
    name, path = video
    rng = np.random.default_rng(list(pathlib.Path(path).read_bytes()))
    features = rng.standard_normal((3, width)).astype(np.float16)
    ClipFeatures(features, [jpeg] * 3).save(directory / f"{name}.npz")


@pytest.fixture(scope="module", autouse=True)
def _imagine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "extract", imagined)
        yield


@pytest.fixture(scope="module")
def prepared(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    named = {"transcripts": str(folder / "raw_caption.json"), "annotations": str(folder / "truth")}
    return prepare(configured(folder, tmp_path_factory.mktemp("cache"), **named), tiny_corpus.here).folder


def captions_of(directory: pathlib.Path, split: str) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for record in RecordSource(directory / "records", split):
        found.setdefault(record.video_id, set()).update(record.captions)
    return found


def test_all_formats_are_said(prepared: pathlib.Path) -> None:
    said = {
        video_id: [sentence.text for sentence in narration.sentences]
        for path in (prepared / "sentences").iterdir()
        for video_id, narration in read_narrations(path)
    }
    shared = ["now chop the onion", "then stir it"]
    assert said == {"a": ["peel it"], "b": ["fry the egg"], "c": shared, "d": shared, "e": []}
    (problem,) = json.loads((prepared / "report.json").read_text())["quarantined"]
    assert problem == {
        "item": "e",
        "stage": "transcripts",
        "reason": "raw_caption.json has no transcript for it: used for video-only examples",
    }


def test_annotations_from_elsewhere_decide(prepared: pathlib.Path) -> None:
    held_out = {"d": {"cook of val_1", "cook of val_2"}, "e": {"cook of 1k-A"}}
    assert captions_of(prepared, "validation") == held_out
    assert captions_of(prepared, "train") == {name: {"cook of train"} for name in "abc"}


def test_a_caption_of_a_whole_video_ends_with_it(prepared: pathlib.Path) -> None:
    source = RecordSource(prepared / "records", "validation")
    (record,) = (record for record in source if record.video_id == "e")
    assert (record.caption_starts.tolist(), record.caption_ends.tolist()) == ([0.0], [3.0])


def test_what_is_named_enters_the_key(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    config, videos = configured(folder, tmp_path).prepare, folder / "videos"
    captions, truth = folder / "raw_caption.json", folder / "truth"
    keys = [pipeline._key(config, scan(videos, *named)) for named in ((), (captions,), (captions, truth))]
    for path in (captions, truth / "val_2.json"):
        os.utime(path, ns=(0, 0))
        keys.append(pipeline._key(config, scan(videos, captions, truth)))
    assert len(set(keys)) == 5


def test_broken_files_for_all_are_named(folder: pathlib.Path, prepared: pathlib.Path, tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "caption.json"
    broken.write_text('{"c": {"start": [')
    with pytest.raises(PrepareError, match=r"caption\.json (does not have the schema of|is not valid JSON)"):
        prepare(configured(folder, prepared.parent, annotations=str(broken)), tiny_corpus.here)
    other = tmp_path / "HowTo100M_v1.csv"
    other.write_text("video_id,rank\n")
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(PrepareError, match=r"v1\.csv begins with b'video_id,rank"),
    ):
        patch.setattr(stages, "extract", None)  # it shows before features are made
        prepare(configured(folder, prepared.parent, transcripts=str(other)), tiny_corpus.here)
    with pytest.raises(PrepareError, match=r"caption\.json is broken after 0 videos, near byte 17 .*; replace it"):
        prepare(configured(folder, prepared.parent, transcripts=str(broken)), tiny_corpus.here)
