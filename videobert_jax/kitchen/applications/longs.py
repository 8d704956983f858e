"""The plan of the long videos: chapters, each a dish or one verb for many foods, of many steps."""

import functools
import itertools

import numpy as np

from videobert_jax.kitchen.applications.plan import (
    BAD,
    COLORS,
    FINGERS,
    FIRE,
    GLASS,
    GOOD,
    ITEMS,
    KNIFE,
    PLACES,
    SPLITS,
    TOOLS,
    Chapter,
    Deck,
    Hazard,
    Outcome,
    Settings,
    Step,
    Stream,
    Surroundings,
    Video,
    tenths,
)
from videobert_jax.kitchen.applications.shorts import OF_VERBS, hazard
from videobert_jax.kitchen.commentary import gerund
from videobert_jax.kitchen.objects import OBJECTS
from videobert_jax.kitchen.recipes import Pair, pair_groups

SPLITS_IN_TURN = (0, 0, 1, 0, 2, 0)  # indices of SPLITS
DISHES = {
    "cut": "{o} salad", "pour": "{o} with sauce", "stir": "{o} soup", "fry": "fried {o}", "peel": "peeled {o}",
    "grate": "{o} slaw", "mash": "{o} puree", "wash": "fresh {o}",
}  # fmt: skip
THEME = "{ving} for beginners"
THEMES = 0.2  # share of the chapters
SIGNATURE, SAME_FOOD = 0.4, 0.3  # shares of a dish's steps: what names the dish, and other work on the same food
SHORTEST_STEP, LONGEST_STEP = 7.0, 16.0  # seconds
UNSAFE_ACTS = {"training": (0, 1, 0, 3), "validation": (0, 4), "testing": (0, 4)}  # a video, in turn


@functools.lru_cache(maxsize=4)
def plan_longs(settings: Settings) -> tuple[Video, ...]:
    """Plans all long videos, in order; the plan of one does not depend on how many there are."""
    dangers = {split: _Dangers(settings.seed, split) for split in SPLITS}
    splits = (SPLITS[SPLITS_IN_TURN[index % len(SPLITS_IN_TURN)]] for index in range(settings.long))
    return tuple(_plan(settings, index, split, dangers[split]) for index, split in enumerate(splits))


def _plan(settings: Settings, index: int, split: str, dangers: "_Dangers") -> Video:
    rng = Stream.LONG_PLANS.of(settings.seed, index)
    duration = 2.0 * round(rng.uniform(settings.shortest, settings.longest) / 2)
    count = int(np.clip(duration / rng.uniform(75, 110), 3, 7))
    ends = np.cumsum(rng.uniform(0.8, 1.2, count))
    times = [0.0, *(tenths(end) for end in (ends / ends[-1] * duration).tolist())]
    author = _Author(settings.seed, split, rng)
    chapters = tuple(author.chapter(start, end) for start, end in itertools.pairwise(times))
    steps = [step for chapter in chapters for step in chapter.steps]
    return Video(settings.seed, "long", index, split, chapters, duration, dangers.deal(steps))


class _Dangers:
    """Deals the unsafe acts of the videos of one split, so that all kinds are about equally frequent."""

    def __init__(self, seed: int, split: str):
        self._rng = Stream.LONG_HAZARDS.of(seed, SPLITS.index(split))
        self._kinds, self._counts = Deck((FINGERS, FIRE, KNIFE, GLASS), self._rng), itertools.cycle(UNSAFE_ACTS[split])

    def deal(self, steps: list[Step]) -> tuple[Hazard, ...]:
        """Unsafe acts of one video, in order, at most one during a step."""
        free, found = list(steps), list[Hazard]()
        for _ in range(min(next(self._counts), len(steps))):
            kind = self._kinds.deal(lambda kind: bool(_fitting(kind, free)))
            steps_of_kind = _fitting(kind, free)
            step = steps_of_kind[self._rng.integers(len(steps_of_kind))]
            free.remove(step)
            found.append(hazard(kind, step, self._rng))
        return tuple(sorted(found, key=lambda act: act.start))


def _fitting(kind: str, steps: list[Step]) -> list[Step]:
    """The steps during which an unsafe act of this kind can happen."""
    return [step for step in steps if kind in (OF_VERBS.get(step.verb), KNIFE, GLASS)]


class _Author:
    """Plans the chapters of one video."""

    def __init__(self, seed: int, split: str, rng: np.random.Generator):
        self._rng = rng
        unseen, *seen = (frozenset(group) for group in pair_groups(seed))
        self._pairs = (frozenset[Pair]().union(*seen), unseen)
        self._unseen = Deck([0] if split == SPLITS[0] else [0, 1], rng)
        self._foods, self._verbs = Deck(OBJECTS, rng), Deck(tuple(TOOLS), rng)
        self._places, self._mats = Deck(PLACES, rng), Deck(COLORS, rng)
        self._sleeve = COLORS[rng.integers(len(COLORS))]
        self._good = Deck([True, True, True, False], rng)

    def chapter(self, start: float, end: float) -> Chapter:
        """Plans a chapter: steps of 7 to 16 seconds with pauses, and at the end how the dish turned out."""
        shown = tenths(end - self._rng.uniform(4.5, 6.0))
        times = list[tuple[float, float]]()
        time = start + self._rng.uniform(0.5, 1.5)
        while not times or shown - 0.3 - time >= SHORTEST_STEP:
            last = min(time + self._rng.uniform(SHORTEST_STEP, LONGEST_STEP), shown - 0.3)
            times.append((tenths(time), tenths(last)))
            time = last + self._rng.uniform(0.5, 1.5)
        pairs, title = self._theme(len(times)) if self._rng.random() < THEMES else self._dish(len(times))
        steps = tuple(self._step(pair, span) for pair, span in zip(pairs, times, strict=True))
        kinds = GOOD if self._good.deal() else BAD
        food = max(OBJECTS, key=[food for _, food in pairs].count)
        outcome = Outcome(kinds[self._rng.integers(len(kinds))], food, shown, tenths(end - 0.2))
        return Chapter(start, end, self._surroundings(pairs), steps, outcome, title)

    def _dish(self, count: int) -> tuple[list[Pair], str]:
        """Pairs of a dish's steps, and its title."""
        food = self._foods.deal()
        side = self._foods.deal(lambda other: other != food)
        main = self._pick(food=food)
        pairs = [main]
        while len(pairs) < count:
            kind, last = self._rng.random(), pairs[-1]
            if kind < SIGNATURE and last != main:
                pairs.append(main)
            else:
                pairs.append(self._pick(food=food if kind < SIGNATURE + SAME_FOOD else side, other_than=last))
        return pairs, DISHES[main[0]].format(o=food).capitalize()

    def _theme(self, count: int) -> tuple[list[Pair], str]:
        """Pairs of one verb with several foods, and a title."""
        verb = self._verbs.deal()
        pairs = [self._pick(verb=verb)]
        while len(pairs) < count:
            pairs.append(self._pick(verb=verb, other_than=pairs[-1]))
        return pairs, THEME.format(ving=gerund(verb)).capitalize()

    def _pick(self, verb: str = "", food: str = "", other_than: Pair | None = None) -> Pair:
        """A pair of the verb or of the food; half of those in validation and testing are held out from training."""
        known = sorted(self._pairs[self._unseen.deal()])
        fitting = [pair for pair in known if (not verb or pair[0] == verb) and (not food or pair[1] == food)]
        others = [pair for pair in fitting if pair != other_than]
        return others[self._rng.integers(len(others))]

    def _step(self, pair: Pair, span: tuple[float, float]) -> Step:
        """A step with a close-up of a third of it, in its second half."""
        start, end = span
        close = start + (end - start) * self._rng.uniform(0.45, 0.6)
        tools = TOOLS[pair[0]]
        return Step(
            *pair, start, end, tools[self._rng.integers(len(tools))], (tenths(close), tenths(close + (end - start) / 3))
        )

    def _surroundings(self, pairs: list[Pair]) -> Surroundings:
        used = {food for _, food in pairs}
        unused = [food for food in self._rng.permutation(OBJECTS).tolist() if food not in used]
        item, number = ITEMS[self._rng.integers(len(ITEMS))], int(self._rng.integers(1, 6))
        others = tuple(unused[: self._rng.integers(0, 3)])
        return Surroundings(self._places.deal(), self._mats.deal(), self._sleeve, item, number, others)
