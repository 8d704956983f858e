"""Questions about short videos that neither the question nor the speech answers, in the schema of ActivityNet-QA.

For every wording of a question, its answers are about equally frequent in each split. A question is asked only of
videos whose speech does not say its answer, and those about work or food only where the speech names neither.
"""

import collections
import dataclasses
import enum
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from videobert_jax.kitchen.applications.captions import NUMBERS, article, located, participle
from videobert_jax.kitchen.applications.plan import COLORS, ITEMS, PLACES, SPLITS, TOOLS, Step, Stream, Video
from videobert_jax.kitchen.applications.speech import narrate
from videobert_jax.kitchen.commentary import gerund
from videobert_jax.kitchen.objects import OBJECTS

YES_SHARE = 0.02  # of a split's videos that are asked a certain yes-or-no question with the answer yes; as many no


class Kind(enum.IntEnum):
    """The types of ActivityNet-QA that occur."""

    MOTION = 0
    TEMPORAL = 2
    YES_NO = 3
    COLOR = 4
    OBJECT = 5
    LOCATION = 6
    NUMBER = 7


@dataclasses.dataclass(frozen=True)
class Question:
    """Wordings of one question; `answer` is None for videos that it does not suit."""

    kind: Kind
    wordings: tuple[str, ...]
    answer: Callable[[Video], str | None]
    unnamed: bool = False  # asked only where the speech does not name the work


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question about one video."""

    video: str
    question: str
    answer: str
    kind: Kind


def ask(videos: Sequence[Video], seed: int) -> dict[str, list[Asked]]:
    """Returns the questions of each split about its short videos, in the order of the videos."""
    said = {video.name: {word for sentence in narrate(video) for word in sentence.text.split()} for video in videos}
    asked: dict[str, list[Asked]] = {}
    for number, split in enumerate(SPLITS):
        rng = Stream.QUESTIONS.of(seed, number)
        own = [video for video in videos if video.split == split]
        found = [
            Asked(video.name, wording, answer, question.kind)
            for question in all_questions()
            for video, wording, answer in _balanced(question, own, said, rng)
        ]
        asked[split] = sorted(found, key=lambda one: one.video)
    return asked


def _balanced(
    question: Question, videos: list[Video], said: dict[str, set[str]], rng: np.random.Generator
) -> Iterator[tuple[Video, str, str]]:
    """Yields videos, wordings and answers, at most as many of an answer as three quarters of all answers have."""
    by_answer: dict[str, list[Video]] = collections.defaultdict(list)
    for index in rng.permutation(len(videos)):
        video = videos[index]
        answer = question.answer(video)
        if answer and answer not in said[video.name] and not (question.unnamed and video.speech == "named"):
            by_answer[answer].append(video)
    counts = sorted(map(len, by_answer.values()))
    if len(counts) < 2:
        return  # nothing to tell apart
    most = counts[len(counts) // 4]
    if question.kind is Kind.YES_NO:
        most = min(most, max(1, round(YES_SHARE * len(videos))))
    for answer, fitting in sorted(by_answer.items()):
        for place, video in enumerate(fitting[:most]):
            yield video, question.wordings[place % len(question.wordings)], answer


def all_questions() -> Iterator[Question]:
    """Yields every question, without videos."""
    yield from _about_work()
    yield from _about_surroundings()
    yield from _about_order()
    yield from _yes_or_no()


def _about_work() -> Iterator[Question]:
    """About the only step of a video."""
    done = ("what is being done to the food?", "what does the cook do with the food?", "which work is shown?")
    yield Question(Kind.MOTION, done, functools.partial(_of_single, lambda step: step.verb), unnamed=True)
    food = ("which food is being prepared?", "what does the cook work on?")
    yield Question(Kind.OBJECT, food, functools.partial(_of_single, lambda step: step.object), unnamed=True)
    tool = ("what is it done with?", "which tool is used?")
    yield Question(Kind.OBJECT, tool, functools.partial(_of_single, lambda step: step.tool), unnamed=True)
    for verb in TOOLS:
        text = "what is sauce being poured over?" if verb == "pour" else f"what is being {participle(verb)}?"
        yield Question(Kind.OBJECT, (text,), functools.partial(_food_of, verb), unnamed=True)


def _of_single(read: Callable[[Step], str], video: Video) -> str | None:
    return read(video.steps[0]) if len(video.steps) == 1 else None


def _food_of(verb: str, video: Video) -> str | None:
    (step, *others) = video.steps
    return step.object if step.verb == verb and not others else None


def _about_surroundings() -> Iterator[Question]:
    mat = ("what color is the mat?", "which color does the mat have?")
    yield Question(Kind.COLOR, mat, lambda video: video.chapters[0].surroundings.mat)
    sleeve = ("what color are the sleeves?", "which color does the cook wear?")
    yield Question(Kind.COLOR, sleeve, lambda video: video.chapters[0].surroundings.sleeve)
    place = ("where does this take place?", "where is the cook?")
    yield Question(Kind.LOCATION, place, lambda video: video.chapters[0].surroundings.place)
    for item in ITEMS:
        number = (f"how many {item}s are there?", f"what is the number of {item}s?")
        yield Question(Kind.NUMBER, number, functools.partial(_number_of, item))


def _number_of(item: str, video: Video) -> str | None:
    around = video.chapters[0].surroundings
    return NUMBERS[around.number] if around.item == item else None


def _about_order() -> Iterator[Question]:
    """About one of two steps."""
    for place, word in enumerate(("first", "last")):
        yield Question(Kind.TEMPORAL, (f"what is done {word}?",), functools.partial(_verb_at, place), unnamed=True)
        yield Question(Kind.TEMPORAL, (f"which food comes {word}?",), functools.partial(_food_at, place), unnamed=True)
    for verb in TOOLS:
        for place, word in enumerate(("before", "after")):
            text = f"what is done {word} the {gerund(verb)}?"
            yield Question(Kind.TEMPORAL, (text,), functools.partial(_verb_beside, place, verb), unnamed=True)


def _verb_at(place: int, video: Video) -> str | None:
    return video.steps[place].verb if len(video.steps) == 2 else None


def _food_at(place: int, video: Video) -> str | None:
    return video.steps[place].object if len(video.steps) == 2 else None


def _verb_beside(place: int, verb: str, video: Video) -> str | None:
    """The verb at `place`, 0 or 1, if the other one is `verb`."""
    return video.steps[place].verb if len(video.steps) == 2 and video.steps[1 - place].verb == verb else None


def _yes_or_no() -> Iterator[Question]:
    for verb in TOOLS:
        text = "is something being poured?" if verb == "pour" else f"is something being {participle(verb)}?"
        yield Question(Kind.YES_NO, (text,), functools.partial(_shows_verb, verb), unnamed=True)
    for food in OBJECTS:
        yield Question(Kind.YES_NO, (f"is there {article(food)}?",), functools.partial(_shows_food, food), unnamed=True)
    for color in COLORS:
        yield Question(Kind.YES_NO, (f"is the mat {color}?",), functools.partial(_has_mat, color))
    for place in PLACES:
        yield Question(Kind.YES_NO, (f"is the cook {located(place)}?",), functools.partial(_is_at, place))


def _shows_verb(verb: str, video: Video) -> str:
    return _yes(any(step.verb == verb for step in video.steps))


def _shows_food(food: str, video: Video) -> str:
    return _yes(food in video.chapters[0].surroundings.others or any(step.object == food for step in video.steps))


def _has_mat(color: str, video: Video) -> str:
    return _yes(video.chapters[0].surroundings.mat == color)


def _is_at(place: str, video: Video) -> str:
    return _yes(video.chapters[0].surroundings.place == place)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
