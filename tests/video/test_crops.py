"""Clips that overlap or leave gaps, and parts of frames."""

import json
import pathlib

import numpy as np
import pytest
from films import RATE, encode, gray, shown

from videobert_jax.config import PrepareConfig
from videobert_jax.errors import ConfigError
from videobert_jax.video.crops import WHOLE, region_of
from videobert_jax.video.feature_files import read_clips as read_rows
from videobert_jax.video.features import clips_of, count_clips
from videobert_jax.video.frames import read_clips, read_frames

QUARTERS = np.zeros((64, 96, 3), np.uint8)  # each of another brightness
QUARTERS[:32, 48:], QUARTERS[32:, :48], QUARTERS[32:, 48:] = 60, 120, 180
LOWER_LEFT = (0.0, 0.5, 0.5, 1.0)


@pytest.mark.parametrize(
    ("step", "starts"), [(0, [0, 10]), (4, [0, 4, 8, 12]), (10, [0, 10]), (13, [0, 13]), (1, list(range(16)))]
)
def test_a_clip_begins_a_step_after_the_one_before(tmp_path: pathlib.Path, step: int, starts: list[int]) -> None:
    video = encode(tmp_path / "video.mp4", [gray(i) for i in range(25)])
    clips = list(read_clips(video, RATE, 10, 32, step=step))
    assert [shown(clip) for clip in clips] == [[(start + i) % 10 for i in range(10)] for start in starts]
    config = PrepareConfig(fps=RATE, clip_frames=10, clip_step=step)
    assert count_clips(video, config) == len(starts)
    rows = tmp_path / "rows.npy"
    np.save(rows, np.arange(25, dtype=np.float32)[:, None])
    assert read_rows(rows, 10, step)[:, 0, 0].tolist() == starts
    assert read_rows(rows, 10, step)[:, -1, 0].tolist() == [start + 9 for start in starts]


@pytest.mark.parametrize(("region", "brightness"), [(LOWER_LEFT, 120), ((0.5, 0, 1, 0.5), 60), ((0.5, 0.5, 1, 1), 180)])
def test_a_region_is_seen_as_if_it_were_the_frame(tmp_path: pathlib.Path, region, brightness: int) -> None:
    video = encode(tmp_path / "video.mp4", [QUARTERS] * 3)
    frame = next(read_frames(video, RATE, 32, region=region))
    assert frame.shape == (32, 32, 3)
    assert np.abs(frame[3:-3, 3:-3].astype(int) - brightness).max() < 6


def test_a_region_is_one_of_the_upright_picture(tmp_path: pathlib.Path) -> None:
    video = encode(tmp_path / "video.mp4", [QUARTERS] * 3, rotation=90)
    whole = next(read_frames(video, RATE, 64)).astype(int)
    part = next(read_frames(video, RATE, 32, region=LOWER_LEFT)).astype(int)
    assert np.abs(part - whole[32:, :32])[3:-3, 3:-3].max() < 6
    assert part.std() < 6


def test_an_odd_region_has_the_size_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    video = encode(tmp_path / "video.mp4", [QUARTERS] * 3)
    for region in ((0.0, 0.0, 0.33, 0.9), (0.67, 0.111, 1.0, 1.0), (0.2889, 0.6111, 0.5778, 0.8889)):
        assert next(read_frames(video, RATE, 33, region=region)).shape == (33, 33, 3)


def test_regions_are_named_once_or_by_video(tmp_path: pathlib.Path) -> None:
    assert region_of("", "a") == WHOLE
    assert region_of("0,0.5,0.5,1", "a") == LOWER_LEFT
    listed = tmp_path / "crops.json"
    listed.write_text(json.dumps({"a": "0,0.5,0.5,1"}))
    assert region_of(str(listed), "a") == LOWER_LEFT
    assert region_of(str(listed), "b") == WHOLE
    video = encode(tmp_path / "a.mp4", [QUARTERS] * 3)
    clip = next(iter(clips_of(video, PrepareConfig(fps=RATE, clip_frames=3, image_size=32, crop=str(listed)))))
    assert np.abs(clip[:, 3:-3, 3:-3].astype(int) - 120).max() < 6


@pytest.mark.parametrize("text", ["0,0,1", "0,0,0,1", "0.5,0,0.2,1", "0,0,1.2,1", "nan,0,1,1", "0,0,1,x"])
def test_another_region_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.prepare\.crop is .*, expected \"left,top,right,bottom\""):
        region_of(text, "a")


@pytest.mark.parametrize("content", [None, "[]", '{"a": "0,0"}', '{"a": 3}', "{"])
def test_another_file_is_refused(tmp_path: pathlib.Path, content: str | None) -> None:
    path = tmp_path / "crops.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"crops\.json.*expected"):
        region_of(str(path), "a")
