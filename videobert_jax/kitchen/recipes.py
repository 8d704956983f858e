"""The plan of every video: pairs of verb and object, split, and timeline.

The 96 pairs form four groups of 24; in each, every verb appears three times and every object twice. One group is held
out: its pairs appear in validation videos only. Steps are dealt from shuffled groups, so verbs and objects are balanced
in both splits and a step does not predict the next.
"""

import dataclasses
import enum
import functools
from collections.abc import Iterator

import numpy as np

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen.actions import VERBS
from videobert_jax.kitchen.objects import OBJECTS

Pair = tuple[str, str]

GROUPS = 4  # of pairs; the first is held out


class Stream(enum.IntEnum):
    """Independent streams of random numbers, one for each purpose."""

    PAIRS = 1
    TRAINING = 2
    SEEN = 3
    UNSEEN = 4
    COINS = 5
    TIMELINE = 6
    SPEECH = 7
    CAPTIONS = 8
    PICTURES = 9

    def of(self, seed: int, index: int = 0) -> np.random.Generator:
        """The generator of one video, or of the corpus."""
        return np.random.default_rng((seed, index, self.value))


@dataclasses.dataclass(frozen=True)
class Step:
    """One action: `verb` is done to `object` from `start` to `end`, seconds."""

    verb: str
    object: str
    start: float
    end: float

    @property
    def caption(self) -> str:
        """The ground truth in words."""
        return f"{self.verb} the {self.object}"


@dataclasses.dataclass(frozen=True)
class Video:
    """The plan of one video. Its pictures and narration derive from the plan and `random`."""

    seed: int  # of the corpus
    index: int
    subset: str  # "training" or "validation"
    steps: tuple[Step, ...]
    duration: float  # seconds

    @property
    def name(self) -> str:
        """The stem of its file names."""
        return f"kitchen_{self.index:05d}"

    def random(self, stream: Stream) -> np.random.Generator:
        """The generator of this video for `stream`."""
        return stream.of(self.seed, self.index)


def pair_groups(seed: int) -> tuple[tuple[Pair, ...], ...]:
    """Returns all pairs of verb and object in four balanced groups; the first is held out from training."""
    rng = Stream.PAIRS.of(seed)
    verbs, objects = rng.permutation(VERBS).tolist(), rng.permutation(OBJECTS).tolist()
    size = len(objects) // GROUPS
    groups: list[list[Pair]] = [[] for _ in range(GROUPS)]
    for row, verb in enumerate(verbs):
        # Four verbs in a row give a group three different objects each; the next four do so again, shifted by one.
        shift = size * row + row // GROUPS
        for column, name in enumerate(objects):
            groups[(column + shift) % len(objects) // size].append((verb, name))
    return tuple(map(tuple, groups))


def held_out_pairs(seed: int) -> frozenset[Pair]:
    """Returns the pairs that training videos never show."""
    return frozenset(pair_groups(seed)[0])


@functools.lru_cache(maxsize=4)
def plan_videos(config: KitchenConfig) -> tuple[Video, ...]:
    """Plans all videos of the corpus, in order, without drawing anything.

    Half of the steps in validation videos are held-out pairs.
    """
    seed, share = config.seed, config.validation_fraction
    unseen, *seen = pair_groups(seed)
    training = _deal(seen, Stream.TRAINING.of(seed))
    validation = _alternate(
        _deal(seen, Stream.SEEN.of(seed)), _deal([unseen], Stream.UNSEEN.of(seed)), Stream.COINS.of(seed)
    )
    videos = []
    for index in range(config.num_videos):
        held_out = int((index + 1) * share) > int(index * share)  # spread evenly over the corpus
        pairs, subset = (validation, "validation") if held_out else (training, "training")
        videos.append(_timeline(seed, index, subset, pairs))
    return tuple(videos)


def _deal(groups: list[tuple[Pair, ...]], rng: np.random.Generator) -> Iterator[Pair]:
    """Yields pairs without end: shuffles the groups and the pairs in each group, again and again."""
    while True:
        for group in rng.permutation(len(groups)):
            for index in rng.permutation(len(groups[group])):
                yield groups[group][index]


def _alternate(first: Iterator[Pair], second: Iterator[Pair], rng: np.random.Generator) -> Iterator[Pair]:
    """Yields one item of each iterator, in random order, again and again."""
    while True:
        for turn in rng.permutation(2):
            yield next((first, second)[turn])


def _timeline(seed: int, index: int, subset: str, pairs: Iterator[Pair]) -> Video:
    """Plans four steps of 5 to 7 s or five of 5 to 6 s, with pauses of 0.5 to 1.5 s around them."""
    rng = Stream.TIMELINE.of(seed, index)
    count, longest, pause = (4, 7.0, 1.5) if rng.random() < 0.6 else (5, 6.0, 1.0)
    steps, time = [], 0.0
    for _ in range(count):
        start = time + rng.uniform(0.5, pause)
        time = start + rng.uniform(5.0, longest)
        verb, name = next(pairs)
        steps.append(Step(verb, name, round(start, 2), round(time, 2)))
    return Video(seed, index, subset, tuple(steps), round(time + rng.uniform(0.5, pause), 1))
