"""Viewers with hidden tastes and the short videos that they watched, in the schema of MicroLens."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from videobert_jax.kitchen.applications.plan import PLACES, SPLITS, TOOLS, Stream, Video

COLUMNS = ("user", "item", "timestamp", "split")
FOOD_GROUPS: dict[str, tuple[str, ...]] = {
    "roots": ("carrot", "potato", "onion"),
    "fruit": ("apple", "lemon", "tomato"),
    "greens": ("cucumber", "pepper", "eggplant"),
    "savoury": ("mushroom", "cheese", "bread"),
}
GROUPS = {food: group for group, foods in FOOD_GROUPS.items() for food in foods}
# How much more often, as a logarithm, a viewer watches a video with what they like.
FOOD, VERB, PLACE, SPOILT = 3.0, 3.0, 2.2, -2.6
FAME = 1.0  # standard deviation of the logarithm of popularity, which no taste explains
NEW = 0.15  # share of the videos that appear when training is over
NEW_SHARE = 0.4  # of what is watched in testing that is new
HISTORY = (10, 40)  # videos that a viewer watches
HELD_OUT = 0.1  # share of them, at least one, that is validation, and as much again testing
START, DAY = 1_700_000_000_000, 86_400_000  # milliseconds
DAYS = {"training": (0, 80), "validation": (80, 90), "testing": (90, 100)}


class View(NamedTuple):
    """A viewer watched a video at a time, milliseconds."""

    user: int
    item: str
    timestamp: int
    split: str


@dataclasses.dataclass(frozen=True)
class Taste:
    """What one viewer likes."""

    foods: frozenset[str]  # groups
    verbs: frozenset[str]
    places: frozenset[str]
    tolerant: bool  # of dishes that go wrong

    def liking(self, video: Video) -> float:
        """The logarithm of how much more often than others the viewer watches the video."""
        chapter = video.chapters[0]
        return (
            FOOD * any(GROUPS[step.object] in self.foods for step in video.steps)
            + VERB * any(step.verb in self.verbs for step in video.steps)
            + PLACE * (chapter.surroundings.place in self.places)
            + SPOILT * (not chapter.outcome.good and not self.tolerant)
        )


def taste(seed: int, user: int) -> Taste:
    """Draws the taste of one viewer: one group of foods, two verbs, one place, and tolerance in half of the cases."""
    rng = Stream.TASTES.of(seed, user)
    foods, verbs, places = (rng.permutation(names).tolist() for names in (list(FOOD_GROUPS), list(TOOLS), PLACES))
    return Taste(frozenset(foods[:1]), frozenset(verbs[:2]), frozenset(places[:1]), bool(rng.random() < 0.5))


def watch(videos: Sequence[Video], viewers: int, seed: int) -> Iterator[View]:
    """Yields what each viewer watches of the short videos, in order of user and time."""
    rng = Stream.FAME.of(seed)
    fame = rng.normal(0, FAME, len(videos))
    new = np.zeros(len(videos), bool)
    new[rng.permutation(len(videos))[: round(NEW * len(videos))]] = True
    for user in range(viewers):
        yield from _history(videos, seed, user, fame, new)


def _history(videos: Sequence[Video], seed: int, user: int, fame: np.ndarray, new: np.ndarray) -> Iterator[View]:
    rng, likes = Stream.HISTORIES.of(seed, user), taste(seed, user)
    wish = np.array([likes.liking(video) for video in videos]) + fame + rng.gumbel(size=len(videos))
    count = min(int(rng.integers(HISTORY[0], HISTORY[1] + 1)), int((~new).sum()))
    held_out = max(1, round(HELD_OUT * count))
    fresh = min(int(rng.binomial(held_out, NEW_SHARE)), int(new.sum()))
    ranked = np.argsort(-wish, kind="stable")
    known = rng.permutation(ranked[~new[ranked]][: count - fresh])  # the first are not the most liked
    shown = {
        "training": known[: count - 2 * held_out],
        "validation": known[count - 2 * held_out : count - held_out],
        "testing": rng.permutation(np.concatenate([known[count - held_out :], ranked[new[ranked]][:fresh]])),
    }
    for split in SPLITS:
        first, last = DAYS[split]
        times = np.sort(rng.integers(START + first * DAY, START + last * DAY, len(shown[split])))
        for index, time in zip(shown[split].tolist(), times.tolist(), strict=True):
            yield View(user, videos[index].name, time, split)
