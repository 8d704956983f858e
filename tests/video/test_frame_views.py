"""How a view shows a video."""

import dataclasses
import pathlib

import numpy as np
import pytest
from films import RATE, encode, numbered, numbers

from videobert_jax.config import PrepareConfig
from videobert_jax.video.crops import WHOLE
from videobert_jax.video.features import clips_of
from videobert_jax.video.frames import read_clips
from videobert_jax.video.views import UNCHANGED, View, draw

EACH = {
    "view_crop": 0.3,
    "view_scale": 1.5,
    "view_rotation": 20.0,
    "view_flip": True,
    "view_colour": 0.4,
    "view_speed": 2.0,
}
# The parts of a view that a setting changes.
PARTS = {
    "view_crop": {"region"},
    "view_scale": {"zoom"},
    "view_rotation": {"angle"},
    "view_flip": {"flipped"},
    "view_colour": {"brightness", "contrast", "saturation"},
    "view_speed": {"speed"},
}
ALL = PrepareConfig(views=4, **EACH)
PICTURE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def drawn(config: PrepareConfig, count: int = 300, clips: int = 100, sided: bool = False) -> list[View]:
    return [draw(config, f"video{number}", 1, clips, sided) for number in range(count)]


def test_a_view_follows_from_seed_video_and_number() -> None:
    one = draw(ALL, "a", 1, 9, False)
    assert one == draw(ALL, "a", 1, 9, False)
    others = draw(ALL, "b", 1, 9, False), draw(ALL, "a", 2, 9, False)
    others = *others, draw(dataclasses.replace(ALL, view_seed=1), "a", 1, 9, False)
    for other in others:
        assert all(getattr(one, name) != getattr(other, name) for name in ("region", "zoom", "angle", "speed"))


@pytest.mark.parametrize("name", EACH)
def test_each_setting_changes_its_own_part_and_no_other(name: str) -> None:
    alone = PrepareConfig(views=4, **{name: EACH[name]})
    assert alone.changes_views
    for view, every in zip(drawn(alone), drawn(ALL), strict=True):
        changed = {part: getattr(every, part) for part in PARTS[name]}
        assert view == UNCHANGED._replace(**changed)
    assert any(view != UNCHANGED for view in drawn(alone))


def test_views_stay_within_their_limits() -> None:
    views = drawn(ALL)
    regions = np.array([view.region for view in views])
    sides = regions[:, 2:] - regions[:, :2]
    assert 0.7 <= sides.min() < 0.73
    assert 0.97 < sides.max() <= 1
    assert regions.min() >= 0
    assert regions.max() <= 1 + 1e-12
    for name, low, high in (("zoom", 2 / 3, 1.5), ("angle", -20, 20), ("brightness", 0.6, 1.4), ("speed", 0.5, 2)):
        values = [getattr(view, name) for view in views]
        spread = 0.1 * (high - low)
        assert low <= min(values) < low + spread, name
        assert high - spread < max(values) <= high, name


def test_half_of_the_views_are_mirrored_but_none_where_left_and_right_are_named() -> None:
    assert np.mean([view.flipped for view in drawn(ALL)]) == pytest.approx(0.5, abs=0.1)
    sided = drawn(ALL, sided=True)
    assert not any(view.flipped for view in sided)
    assert [view._replace(flipped=False) for view in drawn(ALL)] == sided


@pytest.mark.parametrize(("clips", "step", "fastest"), [(1, 0, 1.0), (2, 0, 2.0), (2, 5, 1.5)])
def test_no_view_is_so_fast_that_no_clip_is_left(clips: int, step: int, fastest: float) -> None:
    config = PrepareConfig(views=1, view_speed=4.0, clip_frames=10, clip_step=step)
    assert max(view.speed for view in drawn(config, clips=clips)) == fastest


def test_pictures_are_mirrored_turned_and_enlarged() -> None:
    np.testing.assert_array_equal(UNCHANGED.alter(PICTURE), PICTURE)
    np.testing.assert_array_equal(View(flipped=True).alter(PICTURE), PICTURE[:, ::-1])
    assert np.abs(View(angle=90.0).alter(PICTURE).astype(int) - np.rot90(PICTURE, -1)).max() <= 1
    both = View(angle=90.0, flipped=True).alter(PICTURE).astype(int)
    assert np.abs(both - np.rot90(PICTURE, -1)[:, ::-1]).max() <= 1
    stripes = np.repeat(PICTURE[::2, ::2], 2, axis=0).repeat(2, axis=1)
    twice = View(zoom=2.0).alter(stripes)  # the middle half, each of whose squares becomes one of four pixels
    np.testing.assert_array_equal(twice[1::4, 1::4], stripes[8:24:2, 8:24:2])
    smaller = View(zoom=0.5).alter(np.tile(np.arange(32, dtype=np.uint8)[:, None, None] * 4, (1, 32, 3)))
    assert np.abs(np.diff(smaller[:, 16, 0].astype(int))).max() <= 8  # its mirror images follow without an edge
    assert smaller[0, 0, 0] > 40


def test_no_border_is_seen() -> None:
    grey = np.full((32, 32, 3), 90, np.uint8)
    for view in (View(angle=33.0), View(zoom=0.5, angle=-170.0), View(zoom=0.7, flipped=True)):
        np.testing.assert_array_equal(view.alter(grey), grey)


def test_colours_change_by_their_factors() -> None:
    values = PICTURE.astype(float)
    darker = View(brightness=0.5).alter(PICTURE)
    assert np.abs(darker - values / 2).max() <= 0.5
    flatter = View(contrast=0.5).alter(PICTURE)
    assert np.abs(flatter - (values / 2 + 63.75)).max() <= 0.51
    pale = View(saturation=0.0).alter(PICTURE)
    assert np.abs(pale - (values @ [0.299, 0.587, 0.114])[..., None]).max() <= 0.51
    assert View(brightness=3.0).alter(np.full((4, 4, 3), 200, np.uint8)).max() == 255


def test_a_region_is_one_of_the_region_that_the_config_leaves() -> None:
    outer = (0.5, 0.0, 1.0, 0.5)
    assert UNCHANGED.within(outer) == outer
    assert View(region=(0.5, 0.5, 1.0, 1.0)).within(outer) == (0.75, 0.25, 1.0, 0.5)
    assert View(region=(0.1, 0.2, 0.3, 0.4)).within(WHOLE) == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_a_view_is_what_clips_are_cut_from(tmp_path: pathlib.Path) -> None:
    video = encode(tmp_path / "video.mp4", [numbered(i) for i in range(40)])
    config = PrepareConfig(fps=RATE, clip_frames=5, image_size=64)
    plain = np.stack(list(read_clips(video, RATE, 5, 64, 1)))
    np.testing.assert_array_equal(np.stack(list(clips_of(video, config))), plain)
    faster = [numbers(clip) for clip in clips_of(video, config, View(speed=2.0))]
    assert faster == [[10 * clip + 2 * frame for frame in range(5)] for clip in range(4)]
    slower = [numbers(clip) for clip in clips_of(video, config, View(speed=0.5))]
    assert slower[:2] == [[0, 0, 1, 1, 2], [2, 3, 3, 4, 4]]
    assert len(slower) == 16
    mirrored = np.stack(list(clips_of(video, config, View(flipped=True))))
    np.testing.assert_array_equal(mirrored, plain[:, :, :, ::-1])
    part = next(clips_of(video, config, View(region=(0.0, 0.0, 0.5, 1.0))))
    assert part.shape == (5, 64, 64, 3)
    assert np.abs(part[3].astype(int)[::8, 4::16] - plain[0, 3].astype(int)[::8, 2:32:8]).mean() < 10
