"""The labels of the videos, as tables in the schema of Kinetics."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from videobert_jax.kitchen.applications.plan import Video

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")


class Label(NamedTuple):
    """A label from `start` to `end`, seconds."""

    text: str
    start: float
    end: float


def actions(video: Video) -> Iterator[Label]:
    """What is done, step by step."""
    return (Label(step.verb, step.start, step.end) for step in video.steps)


def foods(video: Video) -> Iterator[Label]:
    """What is worked on, step by step, and what lies about all the time."""
    yield from (Label(step.object, step.start, step.end) for step in video.steps)
    for chapter in video.chapters:
        yield from (Label(food, chapter.start, chapter.end) for food in chapter.surroundings.others)


def tools(video: Video) -> Iterator[Label]:
    """What the steps are done with."""
    return (Label(step.tool, step.start, step.end) for step in video.steps)


def places(video: Video) -> Iterator[Label]:
    """Where it is done."""
    return (Label(chapter.surroundings.place, chapter.start, chapter.end) for chapter in video.chapters)


def sentiments(video: Video) -> Iterator[Label]:
    """Whether it turned out well and is said to have; nothing where nothing is said."""
    if video.sentiment:
        yield Label(video.sentiment, 0.0, video.duration)


def unsafe_acts(video: Video) -> Iterator[Label]:
    """Unsafe acts; nothing if the video is safe."""
    return (Label(hazard.kind, hazard.start, hazard.end) for hazard in video.hazards)


SETS: dict[str, Callable[[Video], Iterator[Label]]] = {
    "action": actions,
    "food": foods,
    "tool": tools,
    "scene": places,
    "sentiment": sentiments,
    "unsafe": unsafe_acts,
}


def label_table(labels: Callable[[Video], Iterable[Label]], videos: Sequence[Video]) -> str:
    """Returns the text of a CSV file with one row for each label of each video."""
    rows = [
        (label.text, video.name, label.start, label.end, video.split) for video in videos for label in labels(video)
    ]
    return table(COLUMNS, rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
