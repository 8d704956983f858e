"""Queries about moments of videos, as QVHighlights has them: a JSON object a line.

``{"qid", "query", "vid", "duration", "relevant_windows": [[start, end]], "relevant_clip_ids", "saliency_scores":
[[of each rater]]}``, perhaps with a ``split``. Windows are seconds of the video; its clips last `CLIP` seconds, and
those that are relevant have a rating of 0 to 4 by each rater (Lei et al., NeurIPS 2021).
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from videobert_jax.errors import FormatError
from videobert_jax.formats.annotations import SPLITS

CLIP = 2.0  # seconds
REQUIRED = ("qid", "query", "vid", "duration", "relevant_windows")
RATED = ("relevant_clip_ids", "saliency_scores")
HIGHEST = 4  # rating


@dataclasses.dataclass(frozen=True, eq=False)
class MomentQuery:
    """A query about a video, and where it is answered.

    Attributes:
      name: of the query, in its file.
      text: what is asked for.
      video_id: the video's name.
      duration: of the video, seconds.
      windows: float64 [n, 2], n at least 1: starts and ends, seconds.
      ratings: float64 [clips, raters], 0 for clips that are not relevant; None if there are none.
      split: of the video; None if the file does not say.
    """

    name: str
    text: str
    video_id: str
    duration: float
    windows: np.ndarray
    ratings: np.ndarray | None
    split: str | None


def read_moments(path: pathlib.Path) -> list[MomentQuery]:
    """Reads all queries of a file, at least one.

    Raises FormatError, with the line, for one that lacks a key, or whose windows, ratings or split are wrong.
    """
    found = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                found.append(_query(line, f"{path}, line {number:,}"))
    if not found:
        raise FormatError(f"{path} is empty, expected a query in every line, as QVHighlights has them")
    return found


def _query(line: str, place: str) -> MomentQuery:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{place} is not valid JSON ({type(error).__name__}: {error}); fix the line") from error
    if not isinstance(entry, dict):
        raise FormatError(f"{place} holds {type(entry).__name__}, expected an object, as QVHighlights has them")
    if missing := [name for name in REQUIRED if name not in entry]:
        raise FormatError(f"{place} has no {', '.join(missing)}; expected {', '.join(REQUIRED)}")
    duration = entry["duration"]
    if not _is_number(duration) or duration <= 0:
        raise FormatError(f"{place}: duration is {duration!r}, expected seconds above 0")
    split = entry.get("split")
    if split is not None and split not in list(SPLITS):  # it may be of any type
        raise FormatError(f"{place}: split is {split!r}, expected one of {', '.join(SPLITS)}")
    return MomentQuery(
        name=str(entry["qid"]),
        text=_text(entry, "query", place),
        video_id=_text(entry, "vid", place),
        duration=float(duration),
        windows=_windows(entry["relevant_windows"], duration, place),
        ratings=_ratings(entry, duration, place),
        split=None if split is None else SPLITS[split],
    )


def _windows(value: Any, duration: float, place: str) -> np.ndarray:
    """Float64 [n, 2]. The last clip of a video, and so a window, may end after it."""
    if not isinstance(value, list) or not value:
        raise FormatError(f"{place}: relevant_windows is {value!r}, expected at least one [start, end]")
    for window in value:
        if not isinstance(window, list) or len(window) != 2 or not all(map(_is_number, window)):
            raise FormatError(f"{place}: {window!r} is in relevant_windows, expected [start, end] in seconds")
        start, end = window
        if start >= end:
            raise FormatError(f"{place}: the window {window} ends before it starts; fix the line")
        if start < 0 or end >= duration + CLIP:
            raise FormatError(f"{place}: the window {window} is outside the video, which lasts {duration} s")
    return np.array(value, np.float64)


def _ratings(entry: Mapping[str, Any], duration: float, place: str) -> np.ndarray | None:
    """Float64 [clips, raters]; None if there are none."""
    present = [name for name in RATED if entry.get(name) is not None]
    if not present:
        return None
    if len(present) < len(RATED):
        raise FormatError(f"{place} has {present[0]} alone; expected both or none of {', '.join(RATED)}")
    clips, scores = (entry[name] for name in RATED)
    count = math.ceil(duration / CLIP)
    if not isinstance(clips, list) or not all(type(one) is int and 0 <= one < count for one in clips):
        raise FormatError(f"{place}: relevant_clip_ids is {clips!r}, expected numbers of the {count} clips")
    if not clips or not isinstance(scores, list) or len(scores) != len(clips) or not _is_table(scores):
        raise FormatError(
            f"{place}: saliency_scores is {scores!r}, expected for each of {len(clips)} relevant clips the same number "
            f"of ratings, 0 to {HIGHEST}"
        )
    ratings = np.zeros((count, len(scores[0])))
    ratings[clips] = scores
    return ratings


def _is_table(scores: Sequence[Any]) -> bool:
    rows = all(isinstance(row, list) and len(row) == len(scores[0]) > 0 for row in scores)
    return rows and all(_is_number(one) and 0 <= one <= HIGHEST for row in scores for one in row)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(entry: Mapping[str, Any], name: str, place: str) -> str:
    value = entry[name]
    if not isinstance(value, str) or not value.strip():
        raise FormatError(f"{place}: {name} is {value!r}, expected words")
    return value.strip()
