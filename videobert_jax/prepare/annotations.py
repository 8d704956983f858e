"""Ground truth in YouCook2's schema: which videos are held out, and what is seen when."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Collection
from typing import Any

from videobert_jax.prepare.report import Problem

SPLITS = {"training": "train", "validation": "validation"}  # the file's subset -> our split


@dataclasses.dataclass(frozen=True)
class Caption:
    """What a person wrote about the segment [start, end) in seconds."""

    text: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Annotation:
    """A video's captions in the order of time, and its split: "train", "validation", or None for not to be used."""

    split: str | None
    captions: tuple[Caption, ...]


def read_annotations(path: pathlib.Path, video_ids: Collection[str]) -> tuple[dict[str, Annotation], list[Problem]]:
    """Reads ``{"database": {video id: {"subset", "annotations": [{"id", "segment": [start, end], "sentence"}]}}}``.

    A caption without words, or whose segment is not 0 <= start < end, is left out with a `Problem`.

    Args:
      path: the file.
      video_ids: the videos wanted; the file often names more, and need not name all.

    Raises:
      ValueError: if the file as a whole is not of this schema.
    """
    try:
        database = json.loads(path.read_text(encoding="utf-8-sig"))["database"]
        found = {video_id: database[video_id] for video_id in video_ids if video_id in database}
        entries = {video_id: (entry["subset"], list(entry["annotations"])) for video_id, entry in found.items()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not of YouCook2's schema ({type(error).__name__}: {error}); mend it") from error
    annotations: dict[str, Annotation] = {}
    problems: list[Problem] = []
    for video_id, (subset, items) in entries.items():
        captions = []
        for index, item in enumerate(items):
            try:
                captions.append(_caption(item))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                problems.append(Problem(f"{video_id}, caption {index}", "annotations", f"unusable: {error!r}"))
        captions.sort(key=lambda caption: (caption.start, caption.end))
        split = SPLITS.get(subset) if isinstance(subset, str) else None
        annotations[video_id] = Annotation(split, tuple(captions))
        if split is None:
            reason = f"subset {subset!r} is neither {' nor '.join(SPLITS)}: the video is not used"
            problems.append(Problem(video_id, "annotations", reason))
    return annotations, problems


def _caption(item: dict[str, Any]) -> Caption:
    start, end = map(float, item["segment"])
    return caption(item["sentence"], start, end)


def caption(text: Any, start: float, end: float) -> Caption:
    """The caption. Raises ValueError if it has no words, or times that are not 0 <= start < end."""
    if not (0 <= start < end and math.isfinite(end)):
        raise ValueError(f"segment is {[start, end]}, expected 0 <= start < end")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"sentence is {text!r}, expected words")
    text.encode()  # half of a surrogate pair, which JSON can write, cannot be stored
    return Caption(text.strip(), start, end)
