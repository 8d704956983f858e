"""The pictures: what a label claims changes what is seen, and only where and when it should."""

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np
import pytest

from videobert_jax.kitchen.applications.pictures import render
from videobert_jax.kitchen.applications.plan import (
    BAD,
    COLORS,
    FINGERS,
    FIRE,
    GLASS,
    GOOD,
    KNIFE,
    PLACES,
    TOOLS,
    Chapter,
    Hazard,
    Outcome,
    Settings,
    Step,
    Surroundings,
    Video,
)

SETTINGS = Settings(width=96, height=72, fps=4.0)
AROUND = Surroundings("garden", "blue", "red", "egg", 3, ("apple",))
START, END = 0.5, 4.5  # of the step
SHOWN = 5.0  # when the outcome begins
MIDDLE = slice(20, 60)  # rows and columns of the mat


@functools.lru_cache(maxsize=64)
def shot(
    verb: str = "cut",
    food: str = "potato",
    tool: str = "",
    around: Surroundings = AROUND,
    outcome: str = "served",
    hazard: str = "",
    close: tuple[float, float] | None = None,
) -> np.ndarray:
    """A short video, float32 [frames, height, width, 3]."""
    step = Step(verb, food, START, END, tool or TOOLS[verb][0], close)
    chapter = Chapter(0.0, 8.0, around, (step,), Outcome(outcome, food, SHOWN, 8.0))
    hazards = (Hazard(hazard, 1.5, 3.5),) if hazard else ()
    video = Video(0, "short", 0, "training", (chapter,), 8.0, hazards)
    return np.stack([np.asarray(frame, np.float32) for frame in render(video, SETTINGS)])


def changed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The share of the pixels of each frame that differ clearly, [frames]."""
    return (np.abs(first - second).max(axis=-1) > 30).mean(axis=(1, 2))


def during(start: float, end: float) -> slice:
    return slice(int(start * SETTINGS.fps), int(end * SETTINGS.fps))


def test_frames_have_their_number_size_and_type() -> None:
    assert shot().shape == (32, 72, 96, 3)


@pytest.mark.parametrize(("verb", "tool"), [(verb, tool) for verb, tools in TOOLS.items() for tool in tools])
def test_every_action_is_done_with_its_tool_and_moves(verb: str, tool: str) -> None:
    film = shot(verb, tool=tool)
    moved = changed(film[1:, MIDDLE, MIDDLE], film[:-1, MIDDLE, MIDDLE])
    assert np.median(moved[during(1.0, 4.0)]) > 0.03
    assert moved[: int(START * SETTINGS.fps) - 1].max() < 0.01  # nothing but the camera
    for other in TOOLS[verb]:
        if other != tool:
            assert changed(film, shot(verb, tool=other))[during(1.5, 3.5)].mean() > 0.01


def different(**fields: Any) -> Surroundings:
    return dataclasses.replace(AROUND, **fields)


@pytest.mark.parametrize("verb", TOOLS)
@pytest.mark.parametrize(
    ("around", "least"),
    [
        (different(mat="yellow"), 0.08),
        (different(sleeve="green"), 0.0105),
        (different(number=4), 0.006),
        (different(item="cup"), 0.008),
        (different(others=("eggplant",)), 0.006),
        (different(others=()), 0.006),
        (different(place="beach"), 0.15),
    ],
    ids=["mat", "sleeve", "number", "item", "other food", "no other food", "place"],
)
def test_the_surroundings_are_visible_during_every_action(verb: str, around: Surroundings, least: float) -> None:
    share = changed(shot(verb), shot(verb, around=around))[during(1.5, 3.5)]
    assert np.median(share) > least


def test_places_and_colours_look_different() -> None:
    for field, names in (("place", PLACES), ("mat", COLORS), ("sleeve", COLORS)):
        films = [shot(around=different(**{field: name}))[during(2.0, 3.0)] for name in names]
        for first, second in itertools.combinations(films, 2):
            assert changed(first, second).mean() > 0.005, field


@pytest.mark.parametrize("kind", [*GOOD, *BAD])
def test_every_outcome_is_visible_for_two_seconds_and_changes_nothing_before(kind: str) -> None:
    other = "served" if kind != "served" else "burnt"
    share = changed(shot(outcome=kind), shot(outcome=other))
    assert share[: int(SHOWN * SETTINGS.fps)].max() == 0
    assert (share > 0.03).sum() >= 2 * SETTINGS.fps


def test_what_is_spilt_spreads() -> None:
    film = shot(outcome="spilt")
    first, later = film[int(SHOWN * SETTINGS.fps)], film[-2]
    assert changed(first[None], later[None])[0] > 0.1


def test_it_is_night_at_the_campsite() -> None:
    levels = {place: shot(around=different(place=place)).mean() for place in PLACES}
    assert levels.pop("campsite") < 0.7 * min(levels.values())


def test_burnt_food_is_black() -> None:
    burnt, served = (shot("stir", "cheese", outcome=kind)[-2, 30:42, 42:54].mean() for kind in ("burnt", "served"))
    assert burnt < 60 < 130 < served


@pytest.mark.parametrize("kind", [FINGERS, FIRE, KNIFE, GLASS])
def test_an_unsafe_act_is_visible_in_its_seconds(kind: str) -> None:
    verb = {FIRE: "fry", FINGERS: "cut"}.get(kind, "stir")
    share = changed(shot(verb), shot(verb, hazard=kind))
    assert np.median(share[during(2.0, 3.25)]) > 0.008
    if kind != FINGERS:  # there, the hand is in the picture before and after
        assert share[: int(1.5 * SETTINGS.fps)].max() == 0
        assert share[int(3.5 * SETTINGS.fps) :].max() == 0


def test_a_close_up_magnifies_the_middle() -> None:
    share = changed(shot(), shot(close=(2.0, 4.0)))
    assert share[during(0.0, 2.0)].max() == 0
    assert share[during(2.75, 3.25)].min() > 0.15
    assert share[during(4.0, 8.0)].max() == 0


def test_a_video_is_a_function_of_its_plan() -> None:
    first = shot()
    shot.cache_clear()
    assert (first == shot()).all()
