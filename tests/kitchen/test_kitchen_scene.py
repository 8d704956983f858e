"""The pictures: every pair can be painted, moves over time, and changes the object."""

import itertools

import numpy as np
import pytest
from PIL import Image

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen.actions import ACTIONS, VERBS
from videobert_jax.kitchen.motion import Clock
from videobert_jax.kitchen.objects import OBJECTS, make_food
from videobert_jax.kitchen.painting import Sketch, Sprite, Stage
from videobert_jax.kitchen.recipes import Step, Video, plan_videos
from videobert_jax.kitchen.scene import render
from videobert_jax.kitchen.tools import make_look

SIDE = 96
DURATION = 6.0
GREY = (128, 128, 128)
MIDDLE = slice(SIDE * 5 // 12, SIDE * 7 // 12)  # where the object is
CHANGED = {"cut": 20, "fry": 20, "mash": 20, "peel": 8}  # by how much, in 256ths, the object itself is changed


def acted(verb: str, name: str, times: list[float], period: float = 1.0) -> np.ndarray:
    """Pictures of an action on a grey ground, float32 [len(times), SIDE, SIDE, 3]."""
    rng = np.random.default_rng(0)
    look, food = make_look(SIDE, -1.5, rng), make_food(name, SIDE, -1.5, rng)
    action = ACTIONS[verb].make(food, look, Clock(DURATION, period, 0.0), rng)
    stage = Stage((SIDE / 2, SIDE / 2), SIDE, 0.0, False)
    base = Image.new("RGB", (SIDE, SIDE), GREY)
    action.prepare(base, stage)
    pictures = []
    for time in times:
        picture = base.copy()
        action.act(picture, stage, time)
        pictures.append(np.asarray(picture, np.float32))
    return np.stack(pictures)


@pytest.mark.parametrize("verb", VERBS)
def test_every_action_moves_changes_every_object_and_looks_different_on_each(verb: str) -> None:
    finals = []
    for name in OBJECTS:
        start, work, later, end = acted(verb, name, [0.0, 2.1, 2.35, DURATION])
        assert np.abs(work - later).mean() > 0.5, name  # it moves within a quarter of a second
        assert np.abs(start - work).mean() > 2.0, name  # the tool has come
        assert np.abs(start - end)[MIDDLE, MIDDLE].mean() >= CHANGED.get(verb, 0), name
        if verb in ("pour", "grate"):  # a puddle, a heap
            assert np.abs(start - end).mean() > 1.0, name
        finals.append(work)
    pairs = [(a, b) for index, a in enumerate(finals) for b in finals[:index]]
    assert min(np.abs(a - b).mean() for a, b in pairs) > 0.5


def test_objects_are_of_a_good_size_and_told_apart_by_colour_or_shape() -> None:
    foods = [make_food(name, SIDE, -1.5, np.random.default_rng(1)) for name in OBJECTS]
    for food in foods:
        left, top, right, bottom = food.box
        assert 0.28 < (right - left) / SIDE < 0.5, food.name
        assert 0.1 < (bottom - top) / SIDE < 0.45, food.name
        assert food.peeled.size == food.whole.size
        assert np.abs(np.asarray(food.peeled, np.float32) - np.asarray(food.whole, np.float32)).mean() > 2, food.name


def test_the_stage_turns_mirrors_and_anchors() -> None:
    sketch = Sketch(0.2, 0.2, 100)
    sketch.ellipse(0.05, 0.0, 0.04, 0.04, (255, 0, 0))  # a red spot 0.05 to the right of the centre
    sprite = Sprite(sketch.image())

    def spot(tilt: float, mirrored: bool, degrees: float, anchor: tuple[float, float]) -> tuple[float, float]:
        canvas = Image.new("RGB", (100, 100))
        Stage((50, 50), 100, tilt, mirrored).put(canvas, sprite, (0.2, 0.0), degrees, anchor)
        rows, columns = np.nonzero(np.asarray(canvas)[..., 0] > 128)
        return float(columns.mean() - 49.5), float(rows.mean() - 49.5)

    assert spot(0, False, 0, (0, 0)) == pytest.approx((25, 0), abs=1)
    assert spot(0, True, 0, (0, 0)) == pytest.approx((-25, 0), abs=1)
    assert spot(90, False, 0, (0, 0)) == pytest.approx((0, -25), abs=1)  # counter-clockwise on the screen
    assert spot(0, False, 90, (0, 0)) == pytest.approx((20, -5), abs=1)
    assert spot(0, False, 180, (0.05, 0)) == pytest.approx((20, 0), abs=1)  # the anchor stays where it is put
    assert spot(0, True, 90, (0, 0)) == pytest.approx((-20, -5), abs=1)


def test_a_video_has_all_its_frames_and_is_a_function_of_its_plan() -> None:
    config = KitchenConfig(num_videos=2, width=64, height=48, fps=3.0)
    first, second = plan_videos(config)
    frames = [np.asarray(frame) for frame in render(first, config)]
    assert len(frames) == round(first.duration * 3)
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    assert all((a == np.asarray(b)).all() for a, b in zip(frames, render(first, config), strict=True))
    other = np.asarray(next(iter(render(second, config))))
    assert np.abs(other.astype(float) - frames[0]).mean() > 5


def test_a_step_is_seen_in_its_time_and_not_around_it() -> None:
    config = KitchenConfig(num_videos=1, width=64, height=64, fps=4.0)
    video = Video(0, 0, "training", (Step("grate", "cheese", 2.0, 8.0),), 10.0)
    frames = [np.asarray(frame, np.float32) for frame in render(video, config)]
    changes = [np.abs(later - frame).mean() for frame, later in itertools.pairwise(frames)]
    assert set(np.argsort(changes)[-2:].tolist()) == {7, 31}  # the grater comes at frame 8 and is gone at frame 32
    moved = [(np.abs(later - frame) > 40).mean() for frame, later in itertools.pairwise(frames)]
    assert np.median(moved[10:28]) > 0.02  # the cheese is rubbed
    assert np.median(moved[:7]) < 0.005  # only the camera and the noise
