"""What a video of the applications corpus shows, before anything is drawn or worded."""

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from videobert_jax.kitchen import recipes

T = TypeVar("T")

KINDS = ("short", "long")  # of videos
SPLITS = ("training", "validation", "testing")
PLACES = ("kitchen", "garden", "market", "beach", "campsite")
COLORS = ("red", "blue", "green", "yellow", "white", "purple")
ITEMS = ("cup", "egg")
TOOLS: dict[str, tuple[str, ...]] = {
    "cut": ("knife", "cleaver"),
    "pour": ("jug", "bottle"),
    "stir": ("spoon", "whisk"),
    "fry": ("pan",),
    "peel": ("peeler",),
    "grate": ("grater",),
    "mash": ("masher", "fork"),
    "wash": ("tap",),
}
GOOD, BAD = ("served", "arranged"), ("burnt", "spilt", "dropped")
FINGERS, FIRE, KNIFE, GLASS = "fingers under the blade", "pan on fire", "falling knife", "broken glass"
KNIFE_FALLS = 2.0  # seconds
PLEASED, ANNOYED = "pleased", "annoyed"


class Stream(enum.IntEnum):
    """Independent streams of random numbers, one for each purpose."""

    SHORT_PLANS = 31
    LONG_PLANS = 32
    PICTURES = 33
    SPEECH = 34
    SUBTITLES = 35
    CAPTIONS = 36
    QUESTIONS = 37
    MOMENTS = 38
    FAME = 39
    TASTES = 40
    HISTORIES = 41
    LONG_HAZARDS = 42

    def of(self, seed: int, index: int = 0) -> np.random.Generator:
        """The generator of one video, or of the corpus."""
        return np.random.default_rng((seed, index, self.value))


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides every byte of the corpus."""

    short: int = 1000  # videos
    long: int = 24  # videos
    seed: int = 0
    width: int = 128  # pixels
    height: int = 96
    fps: float = 10.0
    shortest: float = 300.0  # seconds of a long video
    longest: float = 600.0
    viewers: int = 500


@dataclasses.dataclass(frozen=True)
class Step(recipes.Step):
    """A step of the first corpus with its tool, and the seconds that the camera is close, if it is."""

    tool: str = ""
    close: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What is visible throughout a chapter."""

    place: str
    mat: str  # colour
    sleeve: str  # colour
    item: str  # what stands beside the mat, and how many
    number: int
    others: tuple[str, ...]  # foods that lie about


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a dish turned out: what is shown of `object` from `start` to `end`, seconds."""

    kind: str
    object: str
    start: float
    end: float

    @property
    def good(self) -> bool:
        """Whether it was done well."""
        return self.kind in GOOD


@dataclasses.dataclass(frozen=True)
class Hazard:
    """An unsafe act from `start` to `end`, seconds."""

    kind: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Chapter:
    """Steps in the same surroundings and how they turned out. A short video is a single chapter without title."""

    start: float
    end: float
    surroundings: Surroundings
    steps: tuple[Step, ...]
    outcome: Outcome
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Video:
    """The plan of one video. Its files derive from the plan and `random`."""

    seed: int  # of the corpus
    kind: str  # of KINDS
    index: int
    split: str
    chapters: tuple[Chapter, ...]
    duration: float  # seconds
    hazards: tuple[Hazard, ...] = ()
    speech: str = "named"  # "named": says verbs and foods; "chatter": never does; "silent"
    tone: str = ""  # of what is said: PLEASED or ANNOYED; empty: neither

    @property
    def name(self) -> str:
        """The stem of its file names."""
        return f"{self.kind}_{self.index:05d}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for chapter in self.chapters for step in chapter.steps)

    @property
    def sentiment(self) -> str:
        """Whether what happens and how it is said are both "good", both "bad", or at odds ("mixed"); empty: unsaid."""
        if not self.tone:
            return ""
        good = self.chapters[0].outcome.good
        if good != (self.tone == PLEASED):
            return "mixed"
        return "good" if good else "bad"

    def random(self, stream: Stream) -> np.random.Generator:
        """The generator of this video for `stream`."""
        return np.random.default_rng((self.seed, self.index, stream.value, KINDS.index(self.kind)))


class Deck(Generic[T]):
    """Deals shuffled copies of the same cards without end, so that all are dealt equally often."""

    def __init__(self, cards: Sequence[T], rng: np.random.Generator):
        self._cards, self._rng, self._pile = tuple(cards), rng, list[T]()

    def deal(self, fits: Callable[[T], bool] = lambda card: True) -> T:
        """Returns the next card that fits; those before it stay. One card at least must fit."""
        while True:
            for place, card in enumerate(self._pile):
                if fits(card):
                    return self._pile.pop(place)
            self._pile += [self._cards[index] for index in self._rng.permutation(len(self._cards))]


def tenths(seconds: float) -> float:
    """Rounds to a tenth of a second, the time of a frame."""
    return round(seconds, 1)
