"""What a clip's feature captures and what it ignores, on drawn clips; and the feature files."""

import dataclasses
import errno
import functools
import io

import av
import jax
import numpy as np
import pytest
from PIL import Image

from videobert_jax.config import PrepareConfig
from videobert_jax.data.features import ClipFeatures
from videobert_jax.prepare.factors import factors
from videobert_jax.video import features
from videobert_jax.video.features import extract
from videobert_jax.workers import share_out

SIZE = 64
FRAMES = 6
CONFIG = PrepareConfig(fps=10.0, clip_frames=FRAMES, image_size=SIZE)
WHOLE = dataclasses.replace(CONFIG, whole_frame=True)
RED, GREEN = (200, 40, 40), (40, 160, 60)
ACROSS, ALONG = (1, 0), (0, 1)

colours_of = jax.jit(features._colours)


def clip(colour=RED, direction=ACROSS, phase=0, distractor=None):
    """uint8 [FRAMES, SIZE, SIZE, 3]: a bar moves back and forth over the middle, its long side across its path."""
    frames = np.full((FRAMES, SIZE, SIZE, 3), 90, np.uint8)
    for index, frame in enumerate(frames):
        offset = round(10 * np.sin(2 * np.pi * (index + phase) / FRAMES))
        x, y = (SIZE // 2 + offset * step for step in direction)
        rx, ry = (3, 9) if direction == ACROSS else (9, 3)
        frame[y - ry : y + ry, x - rx : x + rx] = colour
        if distractor is not None:
            frame[:10, :10] = distractor
    return frames


@pytest.fixture(scope="module")
def parts():
    """A function from a clip to the parts of its feature, by name."""
    embed = features._embedder(WHOLE.backbone, whole_frame=True)
    sizes = [part.size for factor in factors(WHOLE) for part in factor]

    def split(*clips):
        embedded = np.concatenate([embed(clip[None]) for clip in clips])  # one shape: compiled once
        columns = np.split(embedded, np.cumsum(sizes)[:-1], axis=1)
        names = ("motion", "central motion", "close-up", "colour", "whole frame")
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    return split


def test_every_part_has_length_one(parts):
    for feature in parts(clip(), clip(GREEN)):
        for name, part in feature.items():
            assert np.linalg.norm(part) == pytest.approx(1, abs=1e-4), name


def test_motion_tells_the_way_and_not_the_moment(parts):
    still_clip = np.repeat(clip()[:1], FRAMES, axis=0)
    across, later, along, still = parts(clip(), clip(phase=1), clip(direction=ALONG), still_clip)
    for name in ("motion", "central motion"):
        assert across[name] @ later[name] > 0.99, name
        assert across[name] @ along[name] < 0.95, name
        assert across[name] @ still[name] < 0.95, name


def test_colour_tells_what_it_is_and_not_how_it_moves(parts):
    red, elsewhere, green = parts(clip(), clip(direction=ALONG), clip(GREEN))
    assert red["colour"] @ elsewhere["colour"] > red["colour"] @ green["colour"] + 0.1


def test_the_close_up_leaves_out_what_lies_around(parts):
    alone, accompanied = parts(clip(), clip(distractor=GREEN))
    for name in ("close-up", "colour", "central motion"):
        np.testing.assert_allclose(alone[name], accompanied[name], atol=1e-5, err_msg=name)
    assert alone["whole frame"] @ accompanied["whole frame"] < 0.95


def test_a_still_clip_has_a_feature(parts):
    still = np.repeat(clip()[:1], FRAMES, axis=0)
    black = np.zeros_like(still)
    for feature in parts(still, black):
        assert all(np.isfinite(part).all() for part in feature.values())


def test_a_little_more_light_changes_the_colours_a_little():
    pictures = [np.full((12, 12, 3), value, np.float32) for value in (128, 130, 190)]
    base, brighter, much_brighter = (np.asarray(colours_of(picture)) for picture in pictures)
    assert base @ brighter > 0.95
    assert base @ much_brighter < 0.5


def test_the_middle_of_a_picture_weighs_most():
    middle, edge = np.zeros((12, 12, 3), np.float32), np.zeros((12, 12, 3), np.float32)
    middle[4:8, 4:8] = edge[:4, :4] = RED
    black = np.zeros((12, 12, 3), np.float32)
    colours = [np.asarray(colours_of(picture)) for picture in (black, middle, edge)]
    assert colours[0] @ colours[1] < colours[0] @ colours[2] - 0.05


FILMED = [clip(phase=1), clip(GREEN, phase=1), clip(direction=ALONG, phase=1)]


def write_video(path, clips):
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height = stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in np.concatenate(clips):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three videos of one to three clips, and a file that is not a video."""
    folder = tmp_path_factory.mktemp("videos")
    paths = [write_video(folder / f"video{count}.mp4", FILMED[:count]) for count in (1, 2, 3)]
    (folder / "broken.mp4").write_text("not a video")
    return [(path.stem, path) for path in (*paths, folder / "broken.mp4")]


def extract_all(videos, directory, workers):
    """Why videos cannot be used, by name."""
    items = [(name, str(path)) for name, path in videos]
    results = share_out(functools.partial(extract, CONFIG, directory), items, workers)
    return {name: reason for (name, _), reason in results if reason}


@pytest.fixture(scope="module")
def extracted(videos, tmp_path_factory):
    directory = tmp_path_factory.mktemp("features")
    return directory, extract_all(videos, directory, workers=2)


@pytest.mark.slow
def test_each_readable_video_gets_a_file_and_the_other_a_reason(extracted):
    directory, failures = extracted
    assert failures == {"broken": "not decodable: Invalid data found when processing input"}
    assert sorted(path.name for path in directory.iterdir()) == ["video1.npz", "video2.npz", "video3.npz"]
    size = sum(part.size for factor in factors(CONFIG) for part in factor)
    for count in (1, 2, 3):
        content = ClipFeatures.load(directory / f"video{count}.npz")
        assert content.features.shape == (count, size)
        assert content.features.dtype == np.float16
        assert len(content.thumbnails) == count


@pytest.mark.slow
def test_thumbnails_show_the_middle_frames(extracted):
    directory, _ = extracted
    content = ClipFeatures.load(directory / "video2.npz")
    for jpeg, frames in zip(content.thumbnails, FILMED, strict=False):
        picture = Image.open(io.BytesIO(jpeg))
        assert (picture.format, picture.size) == ("JPEG", (features.THUMBNAIL_SIZE, features.THUMBNAIL_SIZE))
        shown = np.asarray(picture.resize((SIZE, SIZE))).astype(int)
        assert np.abs(frames - shown).mean(axis=(1, 2, 3)).argmin() == FRAMES // 2


@pytest.mark.slow
def test_a_clip_has_the_same_feature_alone_and_in_company(extracted):
    """video1 is the first clip of the others, which fill a batch or not; only the encoder's choices differ."""
    directory, _ = extracted
    first, *others = (ClipFeatures.load(directory / f"video{count}.npz").features[0] for count in (1, 2, 3))
    for other in others:
        assert np.linalg.norm(first.astype(float) - other) < 0.2


@pytest.mark.slow
def test_files_are_bitwise_the_same_with_any_number_of_workers(extracted, videos, tmp_path, parts):
    directory, _ = extracted
    extract_all(videos[:3], tmp_path, workers=1)
    for video_id, _ in videos[:3]:
        assert (tmp_path / f"{video_id}.npz").read_bytes() == (directory / f"{video_id}.npz").read_bytes()


def in_worker(monkeypatch, tmp_path, clips):
    """The result of `extract` when `clips` replaces reading the video."""
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr(features, "_embedder", lambda *_: lambda clips: np.zeros((len(clips), 3)))
    monkeypatch.setattr(features, "read_clips", clips)
    return extract(CONFIG, tmp_path, ("a", str(tmp_path / "a.mp4")))


def test_a_finished_video_is_left_alone(tmp_path, monkeypatch):
    ClipFeatures(np.zeros((1, 3), np.float16), [b"finished"]).save(tmp_path / "a.npz")
    assert in_worker(monkeypatch, tmp_path, None) is None
    assert ClipFeatures.load(tmp_path / "a.npz").thumbnails == [b"finished"]


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_damaged_file_is_named_and_made_again(tmp_path, monkeypatch, capsys, share):
    path = tmp_path / "a.npz"
    ClipFeatures(np.zeros((1, 300), np.float16), [b"one"]).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=r"a\.npz is damaged .*; remove .* and run the same command again"):
        ClipFeatures.load(path)
    assert in_worker(monkeypatch, tmp_path, lambda *_, **__: iter([clip(), clip()])) is None
    assert len(ClipFeatures.load(path).thumbnails) == 2
    assert "a.npz is damaged: making it again" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("odd"), ZeroDivisionError("odd"), OSError("odd")])
def test_any_error_in_a_video_is_its_reason(monkeypatch, tmp_path, error):
    def clips(*_, **__):
        raise error

    assert in_worker(monkeypatch, tmp_path, clips) == f"{type(error).__name__}: odd"


def test_a_full_disk_is_not_the_fault_of_a_video(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ClipFeatures, "save", full)
    with pytest.raises(OSError, match="No space left"):
        in_worker(monkeypatch, tmp_path, lambda *_, **__: iter([clip()]))


def test_memory_that_runs_out_is_not_the_fault_of_a_video(monkeypatch, tmp_path):
    def clips(*_, **__):
        raise MemoryError

    with pytest.raises(MemoryError):
        in_worker(monkeypatch, tmp_path, clips)


def test_a_file_is_never_seen_half_done(tmp_path, monkeypatch):
    content = ClipFeatures(np.ones((2, 3), np.float16), [b"one", b"three"])

    def fail(file, **_):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space left"):
        content.save(tmp_path / "video.npz")
    assert not (tmp_path / "video.npz").exists()
    monkeypatch.undo()
    content.save(tmp_path / "video.npz")
    loaded = ClipFeatures.load(tmp_path / "video.npz")
    np.testing.assert_array_equal(loaded.features, content.features)
    assert loaded.thumbnails == content.thumbnails
    assert [path.name for path in tmp_path.iterdir()] == ["video.npz"]


def test_clips_are_counted_before_they_are_read(videos, tmp_path):
    assert [features.count_clips(path, CONFIG) for _, path in videos] == [1, 2, 3, None]
    per_second = PrepareConfig(backbone="precomputed", clip_frames=4)
    np.save(tmp_path / "rows.npy", np.zeros((11, 2), np.float32))
    assert features.count_clips(tmp_path / "rows.npy", per_second) == 2
    assert features.count_clips(tmp_path / "absent.npy", per_second) is None
    assert features.count_clips(videos[-1][1], per_second) is None
