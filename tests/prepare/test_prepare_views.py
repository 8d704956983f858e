"""Views of training videos: splits of their own, beside records that stay as they are."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import tiny_corpus

from videobert_jax.config import PrepareConfig
from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared, videos_of, view_number
from videobert_jax.errors import PrepareError
from videobert_jax.prepare import stages
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.video.views import UNCHANGED, View, draw

VIDEOS, SECONDS, VIEWS = 8, 6.0, 7
SETTINGS: dict[str, Any] = {"views": VIEWS, "view_flip": True, "view_speed": 1.5, "view_crop": 0.2}
SAID = {1: "Turn it to the Left.", 2: "Grate the leftovers.", 3: "It is bright, alright."}
seen: dict[tuple[str, View], str | None] = {}  # what `extract` was asked for, and what it said


def extract(
    config: PrepareConfig, directory: pathlib.Path, video: tuple[str, str], view: View = UNCHANGED
) -> str | None:
    """Features that tell video and view, of as many clips as the real ones."""
    name, path = video
    if said := seen.setdefault((pathlib.Path(path).stem, view), None):
        return said
    clips = int(SECONDS * config.fps / view.speed) // config.clip_frames
    seed = int.from_bytes(hashlib.sha256(repr((pathlib.Path(path).stem, view)).encode()).digest()[:4])
    features = np.random.default_rng(seed).normal(size=(clips, 3840 + 512)).astype(np.float16)
    ClipFeatures(features, [b"jpeg"] * clips).save(directory / f"{name}.npz")
    return None


@pytest.fixture(scope="module", autouse=True)
def _without_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "extract", extract)
        patch.setattr(stages, "write_pictures", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("corpus")
    for index in range(VIDEOS):
        (folder / f"video{index}.mp4").write_bytes(b"not read")
        tiny_corpus.write_vtt(
            folder / f"video{index}.vtt", [(0.2, 2.8, SAID.get(index, "We cut it.")), (3.0, 5.6, "We stir it.")]
        )
    caption = {"segment": [1.0, 4.0], "sentence": "on the right side"}
    subsets = {f"video{index}": {"subset": "validation" if index in (0, 7) else "training"} for index in range(VIDEOS)}
    database = {name: {**one, "annotations": [caption] if name == "video4" else []} for name, one in subsets.items()}
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    return folder


def made(corpus: pathlib.Path, cache: pathlib.Path, **settings: Any) -> Prepared:
    return prepare(tiny_corpus.config(corpus, cache, **settings), tiny_corpus.here)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plain(corpus: pathlib.Path, cache: pathlib.Path) -> Prepared:
    return made(corpus, cache)


@pytest.fixture(scope="module")
def viewed(corpus: pathlib.Path, cache: pathlib.Path, plain: Prepared) -> Prepared:
    """Made after `plain`."""
    return made(corpus, cache, **SETTINGS)


def contents(prepared: Prepared, *splits: str) -> Mapping[str, bytes]:
    """The shards of some splits."""
    files = (path for split in splits for path in prepared.records.glob(f"*-{split}.*"))
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def again(corpus: pathlib.Path, viewed: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The same in other blocks, made after `viewed`; `seen` is of both."""
    return made(corpus, tmp_path_factory.mktemp("again"), **{**SETTINGS, "videos_per_shard": 4})


def test_all_but_the_views_is_bitwise_as_without_them(plain: Prepared, viewed: Prepared) -> None:
    assert plain.folder != viewed.folder
    assert viewed.splits == plain.splits == ("train", "validation")
    assert plain.views == ()
    assert contents(plain, *plain.splits) == contents(viewed, *plain.splits) != {}
    for one, other in viewed.counterparts(plain):
        assert one.read_bytes() == other.read_bytes()
    reports = [json.loads(one.report.read_text()) for one in (plain, viewed)]
    for part in ("repairs", "quarantined"):
        assert reports[0][part] == reports[1][part]


def test_without_views_no_setting_of_them_counts(
    corpus: pathlib.Path, cache: pathlib.Path, plain: Prepared, viewed: Prepared
) -> None:
    manifest = json.loads(plain.manifest.read_text())
    fields = {field.name for field in dataclasses.fields(PrepareConfig)}
    assert manifest["config"].keys() == {
        name for name in fields if not name.startswith(("view", "workers", "whole_frame"))
    }
    assert made(corpus, cache, view_seed=3).folder == plain.folder
    manifest = json.loads(viewed.manifest.read_text())
    assert manifest["config"].keys() == fields - {"workers", "whole_frame"}


def test_views_are_of_training_videos_on_the_clock_of_the_videos(plain: Prepared, viewed: Prepared) -> None:
    assert viewed.views == tuple(f"view{number}" for number in range(1, VIEWS + 1))
    whole, speeds = Footage(plain.source("train")), set()
    for split in viewed.views:
        footage = Footage(viewed.source(split))
        assert footage.video_ids == whole.video_ids == [f"video{index}" for index in range(1, 7)]
        for name in footage.video_ids:
            view, video = footage[name], whole[name]
            speeds.add(view.clip_seconds)
            assert len(view.visual_ids) == int(SECONDS / view.clip_seconds)
            for field in ("token_ids", "sentence_starts", "captions", "caption_starts"):
                np.testing.assert_array_equal(getattr(view, field), getattr(video, field))
            stored = ClipFeatures.load(viewed.features(name, view_number(split)))
            assert len(stored.features) == len(view.visual_ids)
    assert len(speeds) == 6 * VIEWS
    assert min(speeds) < 0.8
    assert max(speeds) > 1.25


def test_views_follow_from_seed_and_video(viewed: Prepared, again: Prepared) -> None:
    for split in viewed.views:
        first, second = Footage(viewed.source(split)), Footage(again.source(split))
        for name in first.video_ids:
            assert first[name].clip_seconds == second[name].clip_seconds
            np.testing.assert_array_equal(first[name].visual_ids, second[name].visual_ids)


@pytest.mark.usefixtures("again")
def test_no_view_is_mirrored_where_left_or_right_is_said_or_written() -> None:
    flips = {name: [view.flipped for video, view in seen if video == name and view != UNCHANGED] for name, _ in seen}
    assert {name: len(views) for name, views in flips.items() if views} == {f"video{i}": VIEWS for i in range(1, 7)}
    assert {name for name, views in flips.items() if any(views)} == {"video2", "video3", "video5", "video6"}


def test_a_view_that_cannot_be_made_ends_the_run_and_is_made_by_the_next(
    corpus: pathlib.Path, tmp_path: pathlib.Path, viewed: Prepared
) -> None:
    broken = "video2", draw(tiny_corpus.config(corpus, tmp_path, **SETTINGS).prepare, "video2", 1, 6, False)
    seen.clear()
    seen[broken] = "no memory"
    with pytest.raises(PrepareError, match=r"view 1 of video 'video2' was not made, .*: no memory; run the same"):
        made(corpus, tmp_path, **SETTINGS)
    seen.clear()
    prepared = made(corpus, tmp_path, **SETTINGS)
    assert [key for key in seen if key[1] != UNCHANGED] == [broken]
    assert contents(prepared, *prepared.views) == contents(viewed, *viewed.views) != {}


def test_names_of_splits() -> None:
    assert [view_number(one) for one in ("train", "view", "view12", "viewer", "test")] == [0, 0, 12, 0, 0]
    assert [videos_of(one) for one in ("train", "view12", "validation")] == ["train", "train", "validation"]
