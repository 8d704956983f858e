"""The plan of the short videos: one or two steps, then how the dish turned out.

Everything is dealt from decks of its own split, so that labels are balanced and independent of each other in each.
"""

import functools

import numpy as np

from videobert_jax.kitchen.applications.plan import (
    ANNOYED,
    BAD,
    COLORS,
    FINGERS,
    FIRE,
    GLASS,
    GOOD,
    ITEMS,
    KNIFE,
    KNIFE_FALLS,
    PLACES,
    PLEASED,
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
from videobert_jax.kitchen.objects import OBJECTS
from videobert_jax.kitchen.recipes import Pair, pair_groups

ROUND = 20  # videos in which the splits have their shares
PLACES_OF_SPLITS = {"validation": (2, 9, 15), "testing": (5, 12, 19)}  # in a round; the others are for training
TWO_STEPS = 0.3  # share of the videos
MOODS = (*[(True, PLEASED)] * 4, *[(False, ANNOYED)] * 4, (True, ANNOYED), (False, PLEASED))  # good outcome, tone
SPEECH = ("silent",) + ("named",) * 9 + ("chatter",) * 9
OF_VERBS = {"cut": FINGERS, "fry": FIRE}
ONE_IN = {FINGERS: 7, FIRE: 7, KNIFE: 50, GLASS: 50}  # of the videos that cut, that fry, and of all


def split_of(index: int) -> str:
    """Returns the split of the short video `index`."""
    return next((split for split, places in PLACES_OF_SPLITS.items() if index % ROUND in places), SPLITS[0])


@functools.lru_cache(maxsize=4)
def plan_shorts(settings: Settings) -> tuple[Video, ...]:
    """Plans all short videos, in order; the plan of one does not depend on how many there are."""
    tables = {split: _Table(settings.seed, split) for split in SPLITS}
    return tuple(tables[split_of(index)].plan(index) for index in range(settings.short))


class _Table:
    """The decks of one split."""

    def __init__(self, seed: int, split: str):
        self._seed, self._split = seed, split
        rng = self._rng = Stream.SHORT_PLANS.of(seed, SPLITS.index(split))
        unseen, *seen = pair_groups(seed)
        self._pairs = {False: Deck([pair for group in seen for pair in group], rng), True: Deck(unseen, rng)}
        self._unseen = Deck([False] if split == SPLITS[0] else [False, True], rng)
        self._double = Deck([True] * round(10 * TWO_STEPS) + [False] * round(10 * (1 - TWO_STEPS)), rng)
        self._speech = {double: Deck(SPEECH, rng) for double in (False, True)}
        self._moods = {spoken: Deck(MOODS, rng) for spoken in (False, True)}
        self._outcomes = {True: Deck(GOOD, rng), False: Deck(BAD, rng)}
        self._tools = {verb: Deck(tools, rng) for verb, tools in TOOLS.items()}
        self._places, self._mats, self._sleeves = (Deck(cards, rng) for cards in (PLACES, COLORS, COLORS))
        self._items = Deck([(item, number) for item in ITEMS for number in range(1, 6)], rng)
        self._others, self._number = Deck(OBJECTS, rng), Deck((0, 1, 1, 2), rng)
        self._hazards = {kind: Deck([kind] + [""] * (often - 1), rng) for kind, often in ONE_IN.items()}

    def plan(self, index: int) -> Video:
        pairs = self._deal_pairs()
        steps, time = [], 0.0
        for verb, food in pairs:
            start = time + self._rng.uniform(0.2, 0.4)
            time = start + (self._rng.uniform(4.5, 6.5) if len(pairs) == 1 else self._rng.uniform(3.2, 3.8))
            steps.append(Step(verb, food, tenths(start), tenths(time), self._tools[verb].deal()))
        speech = self._speech[len(pairs) > 1].deal()
        good, tone = self._moods[speech != "silent"].deal()
        shown = tenths(time + self._rng.uniform(0.1, 0.3))
        duration = tenths(shown + self._rng.uniform(2.7, 3.3))
        outcome = Outcome(self._outcomes[good].deal(), pairs[-1][1], shown, duration)
        chapter = Chapter(0.0, duration, self._surroundings(pairs), tuple(steps), outcome)
        return Video(
            self._seed,
            "short",
            index,
            self._split,
            (chapter,),
            duration,
            self._hazard(steps),
            speech,
            "" if speech == "silent" else tone,
        )

    def _deal_pairs(self) -> list[Pair]:
        """One pair or two that share neither verb nor food, all held out from training or none."""
        deck = self._pairs[self._unseen.deal()]
        first = deck.deal()
        if not self._double.deal():
            return [first]
        return [first, deck.deal(lambda pair: not set(pair) & set(first))]

    def _surroundings(self, pairs: list[Pair]) -> Surroundings:
        used = {food for _, food in pairs}
        others: list[str] = []
        for _ in range(self._number.deal()):
            others.append(self._others.deal(lambda food: food not in used and food not in others))
        item, number = self._items.deal()
        return Surroundings(self._places.deal(), self._mats.deal(), self._sleeves.deal(), item, number, tuple(others))

    def _hazard(self, steps: list[Step]) -> tuple[Hazard, ...]:
        """An unsafe act in a few videos, the rarer of two that are dealt."""
        possible = [(kind, steps[self._rng.integers(len(steps))]) for kind in (KNIFE, GLASS)]
        possible += [(OF_VERBS[step.verb], step) for step in steps if step.verb in OF_VERBS]
        dealt = [hazard(kind, step, self._rng) for kind, step in possible if self._hazards[kind].deal()]
        return tuple(dealt[:1])


def hazard(kind: str, step: Step, rng: np.random.Generator) -> Hazard:
    """Draws when an unsafe act of this kind happens during a step."""
    start = step.start + rng.uniform(0.7, 1.2)
    end = {KNIFE: min(start + KNIFE_FALLS, step.end), GLASS: step.end}.get(
        kind, min(start + rng.uniform(2.0, 3.5), step.end - 0.3)
    )
    return Hazard(kind, tenths(start), tenths(end))
