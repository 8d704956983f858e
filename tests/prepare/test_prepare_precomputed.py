"""Preparing precomputed features from start to end, with the kinds of broken files that such folders contain."""

import io
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from tiny_corpus import config, contents, write_vtt

from videobert_jax.config import Config
from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.records import RecordSource
from videobert_jax.errors import ConfigError, PrepareError
from videobert_jax.prepare import pipeline, stages
from videobert_jax.prepare.pipeline import prepare

SECONDS, SIZE = 6, 8
KINDS = np.random.default_rng(0).normal(0, 5, (4, SIZE))  # what the seconds show: one thing in the first half, another


def rows(index: int) -> np.ndarray:
    noise = np.random.default_rng(index).normal(0, 0.1, (SECONDS, SIZE))
    return (np.repeat(KINDS[[index % 4, (index + 1) % 4]], SECONDS // 2, axis=0) + noise).astype(np.float32)


def write_folder(folder: pathlib.Path) -> pathlib.Path:
    """Four videos' features, one vector per second, with transcripts."""
    folder.mkdir()
    for index in range(4):
        if index % 2:
            np.savez_compressed(folder / f"video{index}.npz", features=rows(index), times=np.arange(SECONDS))
        else:
            np.save(folder / f"video{index}.npy", rows(index))
        cues = [(0.2, 2.8, f"Now we cut the apple number {index}."), (3.0, 5.6, "Then we stir it well.")]
        write_vtt(folder / f"video{index}.vtt", cues)
    return folder


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return write_folder(tmp_path / "features")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return prepare(settings(write_folder(tmp_path_factory.mktemp("corpus") / "features"))).folder


def settings(folder: pathlib.Path, **changes: object) -> Config:
    per_second = {"backbone": "precomputed", "fps": 1.0, "clip_frames": 1}
    return config(folder, folder.parent / "cache", **{**per_second, **changes})


def test_one_vector_per_second_becomes_a_visual_word_per_second(prepared: pathlib.Path) -> None:
    words = {}
    for split in ("train", "validation"):
        for record in RecordSource(prepared / "records", split):
            assert record.clip_seconds == 1.0
            assert len(record.sentence_starts) > 0
            words.setdefault(record.video_id, []).extend(record.visual_ids.tolist())
    assert {name: len(ids) for name, ids in words.items()} == {f"video{index}": SECONDS for index in range(4)}
    held_out = RecordSource(prepared / "records", "validation")[0].video_id
    for name in words.keys() - {held_out}:
        first, second = words[name][: SECONDS // 2], words[name][SECONDS // 2 :]
        assert len(set(first)) == len(set(second)) == 1, "what looks the same is the same word"
        assert first[0] != second[0]
    for index in range(4):
        stored = ClipFeatures.load(prepared / "features" / f"video{index}.npz")
        np.testing.assert_array_equal(stored.features, rows(index).astype(np.float16))
    assert json.loads((prepared / "report.json").read_text())["quarantined"] == []


@pytest.mark.slow
def test_rows_are_pooled_to_clips(folder: pathlib.Path) -> None:
    prepared = prepare(settings(folder, clip_frames=4, fps=2.0)).folder
    source = RecordSource(prepared / "records", "train")
    assert source[0].clip_seconds == 2.0
    stored = ClipFeatures.load(prepared / "features" / "video1.npz")
    np.testing.assert_allclose(stored.features, rows(1)[:4].mean(axis=0, keepdims=True), rtol=2e-3)


def test_where_there_is_no_picture_a_tile_says_so(prepared: pathlib.Path) -> None:
    tiles = {jpeg for path in prepared.glob("features/*.npz") for jpeg in ClipFeatures.load(path).thumbnails}
    (tile,) = tiles
    assert len(tile) < 1000
    picture = np.asarray(Image.open(io.BytesIO(tile)))
    assert picture.shape == (96, 96)
    assert picture.min() < 150 < picture.max(), "there is something to read"
    assert Image.open(prepared / "vocabulary" / "contact_sheet.jpg").size[0] > 96
    assert len(list((prepared / "vocabulary" / "frames").iterdir())) == 4


@pytest.mark.slow
def test_broken_files_are_named_and_cost_no_other(folder: pathlib.Path, prepared: pathlib.Path) -> None:
    good = {name: data for name, data in contents(prepared).items() if name.startswith("features")}
    assert len(good) == 4, good.keys()
    not_finite, wide = rows(9), np.ones((SECONDS, SIZE + 1), np.float32)
    not_finite[3] = np.nan
    np.save(folder / "a nan.npy", not_finite)
    np.save(folder / "a wide.npy", wide)
    np.save(folder / "b flat.npy", rows(9)[0])
    np.save(folder / "c integers.npy", rows(9).astype(np.int32))
    np.save(folder / "d objects.npy", rows(9).astype(object), allow_pickle=True)
    np.savez(folder / "e many.npz", one=rows(9), two=rows(9))
    (folder / "f cut.npy").write_bytes((folder / "video0.npy").read_bytes()[:-4])
    (folder / "g cut.npz").write_bytes((folder / "video1.npz").read_bytes()[:-4])
    packed = bytearray((folder / "video1.npz").read_bytes())
    packed[packed.index(b"features.npy") + 40] ^= 255
    (folder / "h flipped.npz").write_bytes(packed)
    (folder / "i nothing.npy").touch()
    np.save(folder / "j large.npy", rows(9) * 1e6)
    np.save(folder / "k short.npy", rows(9)[:0])
    with_broken = prepare(settings(folder)).folder
    entries = json.loads((with_broken / "report.json").read_text())["quarantined"]
    reasons = {(x["item"], x["stage"]): x["reason"] for x in entries if "without a transcript" not in x["reason"]}
    expected = {
        ("a nan.npy", "features"): "row 3 holds NaN or infinity",
        ("a wide.npy", "scan"): "rows of 9 values, and most files have 8",
        ("b flat.npy", "scan"): "an array [8], expected [rows, size]",
        ("c integers.npy", "scan"): "dtype int32, expected float16 or float32 or float64",
        ("d objects.npy", "scan"): "holds Python objects, expected float16 or float32 or float64",
        ("e many.npz", "scan"): "2 arrays (one, two), expected one, or one named 'features'",
        ("f cut.npy", "scan"): "truncated: 188 bytes of 192",
        ("g cut.npz", "scan"): "broken: File is not a zip file",
        ("i nothing.npy", "scan"): "EOF: reading magic string, expected 8 bytes got 0",
        ("k short.npy", "scan"): "an array [0, 8], expected [rows, size]",
    }
    assert {key: reasons[key] for key in expected} == expected
    assert reasons.keys() - expected.keys() <= {
        ("h flipped.npz", "scan"),
        ("h flipped.npz", "features"),
        ("j large.npy", "features"),
    }
    assert len(reasons) == len(expected) + 2
    after = contents(with_broken)
    assert {name: after[name] for name in good} == good


def test_nothing_but_broken_files_is_an_error(folder: pathlib.Path) -> None:
    for path in folder.glob("*.np?"):
        path.write_bytes(b"broken")
    with pytest.raises(
        PrepareError, match=r"holds no features; expected files that end in \.npy, \.npz; video0\.npy: "
    ):
        prepare(settings(folder))


def test_settings_that_the_backbone_cannot_work_with_are_refused(folder: pathlib.Path) -> None:
    for changes, message in [
        ({"backbone_weights": "weights.pth"}, "precomputed has its own weights"),
        (
            {"backbone": "efficientnet_lite0", "clip_frames": 2},
            "clip_frames is 2; backbone efficientnet_lite0 needs at",
        ),
        ({"backbone": "transformers"}, "backbone transformers needs"),
    ]:
        with pytest.raises(ConfigError, match=message):
            stages.check(settings(folder, **changes).prepare)


def test_other_weights_in_the_same_folder_are_prepared_anew(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    weights = tmp_path / "model"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"one")
    chosen = settings(folder, backbone="transformers", backbone_weights=str(weights)).prepare
    before = pipeline._features_key(chosen)
    assert pipeline._features_key(chosen) == before
    (weights / "model.safetensors").write_bytes(b"another")
    assert pipeline._features_key(chosen) != before


@pytest.mark.slow
def test_videos_beside_the_features_are_not_looked_at(folder: pathlib.Path) -> None:
    (folder / "video0.mp4").write_bytes(b"no video")
    report = json.loads((prepare(settings(folder)).folder / "report.json").read_text())
    assert (report["counts"]["usable videos"], report["quarantined"]) == (4, [])
