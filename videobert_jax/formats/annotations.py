"""Ground truth: the splits and captions of videos."""

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from videobert_jax.formats.problems import Problem

# Published name of a split -> our name. Videos of any other split are not used.
SPLITS = dict.fromkeys(("train", "training"), "train")
SPLITS |= dict.fromkeys(("val", "validate", "validation"), "validation")
SPLITS |= dict.fromkeys(("test", "testing"), "test")


@dataclasses.dataclass(frozen=True)
class Caption:
    """A ground-truth caption of the segment [start, end) in seconds; an infinite end means the video's end."""

    text: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Annotation:
    """A video's split, "train", "validation", "test" or None (not used), and its captions in order of time."""

    split: str | None
    captions: tuple[Caption, ...]


def caption(text: Any, segment: tuple[Any, Any] | None) -> Caption:
    """Returns the caption of a segment (start, end), or of a whole video if `segment` is None.

    Raises ValueError, TypeError or OverflowError if it has no words, or its times are not 0 <= start < end.
    """
    start, end = map(float, segment) if segment else (0.0, math.inf)
    if not 0 <= start < end or (segment and end == math.inf):
        raise ValueError(f"segment is {[start, end]}, expected 0 <= start < end")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"sentence is {text!r}, expected words")
    text.encode()  # raises for half of a surrogate pair, which JSON allows but UTF-8 does not
    return Caption(text.strip(), start, end)


class CollectedAnnotations:
    """The splits and captions of one file, added one by one; each that cannot be used becomes a `Problem`."""

    def __init__(self) -> None:
        self.splits: dict[str, str | None] = {}
        self.unused: dict[str, str] = {}  # the reason for each video whose split is None
        self.captions: dict[str, list[Caption]] = collections.defaultdict(list)
        self.problems: list[Problem] = []

    def place(self, video_id: str, split: Any) -> None:
        """Adds the split of a video, by its published name; the first of several counts."""
        if video_id in self.splits:
            return
        self.splits[video_id] = SPLITS.get(split) if isinstance(split, str) else None
        if self.splits[video_id] is None:
            self.unused[video_id] = f"split {split!r} is not one of {', '.join(SPLITS)}"

    def add(self, video_id: str, place: str, read: Callable[[], Caption]) -> None:
        """Adds the caption that `read` returns; `place` is its location for a `Problem`."""
        try:
            self.captions[video_id].append(read())
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self.refuse(place, f"unusable: {error!r}")

    def refuse(self, place: str, reason: str) -> None:
        """Adds a `Problem`."""
        self.problems.append(Problem(place, "annotations", reason))


def merged(files: Sequence[CollectedAnnotations]) -> tuple[dict[str, Annotation], list[Problem]]:
    """Merges the annotations of several files.

    A file that does not use a video, or only tests with it, yields to one that does more: MSR-VTT's split 1k-A holds
    out videos of the official test split. Otherwise, a video is not used if two files assign it to different splits.
    Duplicate captions count once.
    """
    annotations: dict[str, Annotation] = {}
    problems = [problem for file in files for problem in file.problems]
    for video_id in dict.fromkeys(video_id for file in files for video_id in file.splits):
        splits = {split for file in files if (split := file.splits.get(video_id))}
        splits = splits - {"test"} or splits
        captions: list[Caption] = []
        for file in files:
            if file.splits.get(video_id) in splits:
                captions += [new for new in file.captions[video_id] if new not in captions]
        if len(splits) == 1:
            captions.sort(key=lambda item: (item.start, item.end))
            annotations[video_id] = Annotation(splits.pop(), tuple(captions))
            continue
        annotations[video_id] = Annotation(None, ())
        reasons = [file.unused[video_id] for file in files if video_id in file.unused]
        reason = f"one file has it as {', another as '.join(sorted(map(str, splits)))}" if splits else reasons[0]
        problems.append(Problem(video_id, "annotations", f"{reason}: the video is not used"))
    return annotations, problems
