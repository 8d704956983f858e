"""What is written about the long videos: chapters, summaries, and queries with their moments.

The schemas are those of VidChapters and QVHighlights.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from videobert_jax.kitchen.applications.captions import article, located, verb_forms
from videobert_jax.kitchen.applications.plan import Chapter, Stream, Video
from videobert_jax.kitchen.commentary import pick

CLIP = 2.0  # seconds
RATERS = 3
HIGH, MIDDLE, LOW = 4, 2, 1  # saliency of a close-up, of other relevant clips, and of those that are partly relevant
QUERIES = (
    "someone {vs} {a}", "{a} is being {ved}", "the cook is {ving} {a}", "a person {vs} the {o}",
)  # fmt: skip
CHAPTER_QUERIES = ("the part about {title}", "everything about {title}", "the chapter on {title}")
FINISHED = {
    True: ("a dish that looks good when it is done", "the dish has turned out well"),
    False: ("a dish has gone wrong", "the cook spoils the food"),
}
OUTCOMES = {
    "served": "it is served with herbs", "arranged": "slices are arranged on a plate", "burnt": "it gets burnt",
    "spilt": "everything is spilt", "dropped": "it falls and bursts",
}  # fmt: skip


class Span(NamedTuple):
    """Seconds that a query is about, and those of them that are shown from close by."""

    start: float
    end: float
    close: tuple[float, float] | None


def chapters(video: Video) -> dict[str, Any]:
    """Returns the entry of a video in VidChapters' schema."""
    return {
        "duration": video.duration,
        "timestamps": [[chapter.start, chapter.end] for chapter in video.chapters],
        "sentences": [chapter.title for chapter in video.chapters],
    }


def summary(video: Video) -> str:
    """Returns a paragraph about a long video."""
    titles = [chapter.title.lower() for chapter in video.chapters]
    sentences = [f"This video is about {listed(titles)}."]
    for opener, chapter in zip(itertools.chain(["First"], itertools.repeat("Then")), video.chapters, strict=False):
        sentences.append(f"{opener}, {_told(chapter)}.")
    return " ".join(sentences)


def _told(chapter: Chapter) -> str:
    pairs = dict.fromkeys((step.verb, step.object) for step in chapter.steps)  # in order, each once
    most = sorted(pairs, key=[(step.verb, step.object) for step in chapter.steps].count, reverse=True)[:3]
    work = listed([f"{verb_forms(verb)['vs']} {article(food)}" for verb, food in pairs if (verb, food) in most])
    return f"{located(chapter.surroundings.place)}, the cook {work}, and in the end {OUTCOMES[chapter.outcome.kind]}"


def listed(parts: Sequence[str]) -> str:
    """Joins words: a, b and c."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def queries(videos: Sequence[Video]) -> Iterator[dict[str, Any]]:
    """Yields the queries about long videos in QVHighlights' schema, with the split of the video."""
    number = 0
    for video in videos:
        rng = video.random(Stream.MOMENTS)
        for query, spans in _asked(video, rng):
            yield {"qid": number, "query": query, "vid": video.name, "duration": video.duration,
                   **_relevant(spans, video.duration, rng), "split": video.split}  # fmt: skip
            number += 1


def _asked(video: Video, rng: np.random.Generator) -> Iterator[tuple[str, list[Span]]]:
    """Every pair of verb and food, every title of a chapter, and how dishes turned out."""
    for verb, food in dict.fromkeys((step.verb, step.object) for step in video.steps):
        spans = [Span(s.start, s.end, s.close) for s in video.steps if (s.verb, s.object) == (verb, food)]
        yield pick(QUERIES, rng).format(**verb_forms(verb), o=food, a=article(food)), spans
    for title in dict.fromkeys(chapter.title for chapter in video.chapters):
        named = [chapter for chapter in video.chapters if chapter.title == title]
        spans = [Span(chapter.start, chapter.end, chapter.steps[-1].close) for chapter in named]
        yield pick(CHAPTER_QUERIES, rng).format(title=title.lower()), spans
    for good, wordings in FINISHED.items():
        outcomes = [chapter.outcome for chapter in video.chapters if chapter.outcome.good == good]
        if outcomes:
            yield pick(wordings, rng), [Span(outcome.start, outcome.end, None) for outcome in outcomes]


def _relevant(spans: list[Span], duration: float, rng: np.random.Generator) -> dict[str, Any]:
    """The clips of which at least half is relevant, their windows, and how salient each rater finds them."""
    clips, scores = list[int](), list[list[int]]()
    for number in range(int(duration // CLIP)):
        start, end = number * CLIP, (number + 1) * CLIP
        inside = max(_overlap(start, end, span.start, span.end) for span in spans)
        if inside >= CLIP / 2:
            close = any(span.close and _overlap(start, end, *span.close) >= CLIP / 2 for span in spans)
            level = HIGH if close else MIDDLE if inside == CLIP else LOW
            clips.append(number)
            scores.append(np.clip(level + rng.choice((-1, 0, 0, 0, 1), RATERS), 0, 4).tolist())
    windows = [[run[0] * CLIP, (run[-1] + 1) * CLIP] for run in runs(clips)]
    return {"relevant_windows": windows, "relevant_clip_ids": clips, "saliency_scores": scores}


def _overlap(start: float, end: float, other_start: float, other_end: float) -> float:
    return round(max(0.0, min(end, other_end) - max(start, other_start)), 3)


def runs(numbers: Sequence[int]) -> list[list[int]]:
    """Divides ascending integers into runs of consecutive ones."""
    found = list[list[int]]()
    for number in numbers:
        if not found or number != found[-1][-1] + 1:
            found.append([])
        found[-1].append(number)
    return found
