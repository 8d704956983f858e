"""Ground truth: which videos are held out, and what is seen when."""

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from videobert_jax.prepare.problems import Problem

# What the field calls a split -> what we call it. A video of any other, such as "test", is not used.
SPLITS = dict.fromkeys(("train", "training"), "train")
SPLITS |= dict.fromkeys(("val", "validate", "validation"), "validation")


@dataclasses.dataclass(frozen=True)
class Caption:
    """What a person wrote about the segment [start, end) in seconds; an infinite end is that of the video."""

    text: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Annotation:
    """A video's captions in the order of time, and its split: "train", "validation", or None for not to be used."""

    split: str | None
    captions: tuple[Caption, ...]


def caption(text: Any, segment: tuple[Any, Any] | None) -> Caption:
    """The caption of a segment (start, end), or of a whole video whose length is not told.

    Raises ValueError, TypeError or OverflowError if it has no words, or times that are not 0 <= start < end.
    """
    start, end = map(float, segment) if segment else (0.0, math.inf)
    if not 0 <= start < end or (segment and end == math.inf):
        raise ValueError(f"segment is {[start, end]}, expected 0 <= start < end")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"sentence is {text!r}, expected words")
    text.encode()  # half of a surrogate pair, which JSON can write, cannot be stored
    return Caption(text.strip(), start, end)


class CollectedAnnotations:
    """What one file says about videos, taken up piece by piece; each piece that cannot be used is a `Problem`."""

    def __init__(self) -> None:
        self.splits: dict[str, str | None] = {}
        self.unused: dict[str, str] = {}  # why, of each video whose split is None
        self.captions: dict[str, list[Caption]] = collections.defaultdict(list)
        self.problems: list[Problem] = []

    def place(self, video_id: str, split: Any) -> None:
        """Takes up the split of a video, by its published name; of several the first counts."""
        if video_id in self.splits:
            return
        self.splits[video_id] = SPLITS.get(split) if isinstance(split, str) else None
        if self.splits[video_id] is None:
            self.unused[video_id] = f"split {split!r} is none of {', '.join(SPLITS)}"

    def add(self, video_id: str, place: str, read: Callable[[], Caption]) -> None:
        """Takes up the caption that `read` returns; `place` says where it stands."""
        try:
            self.captions[video_id].append(read())
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self.refuse(place, f"unusable: {error!r}")

    def refuse(self, place: str, reason: str) -> None:
        """Reports something that cannot be used."""
        self.problems.append(Problem(place, "annotations", reason))


def merged(files: Sequence[CollectedAnnotations]) -> tuple[dict[str, Annotation], list[Problem]]:
    """The annotations of several files as one.

    A file that does not use a video yields to one that does: so MSR-VTT's split 1k-A holds out videos of the official
    test split. A video that two files put on different sides is not used. A caption that two files have counts once.
    """
    annotations: dict[str, Annotation] = {}
    problems = [problem for file in files for problem in file.problems]
    for video_id in dict.fromkeys(video_id for file in files for video_id in file.splits):
        using = [file for file in files if file.splits.get(video_id)]
        captions: list[Caption] = []
        for file in using:
            captions += [new for new in file.captions[video_id] if new not in captions]
        splits = {file.splits[video_id] for file in using}
        if len(splits) == 1:
            captions.sort(key=lambda item: (item.start, item.end))
            annotations[video_id] = Annotation(splits.pop(), tuple(captions))
            continue
        annotations[video_id] = Annotation(None, ())
        reasons = [file.unused[video_id] for file in files if video_id in file.unused]
        reason = f"one file has it as {', another as '.join(sorted(map(str, splits)))}" if splits else reasons[0]
        problems.append(Problem(video_id, "annotations", f"{reason}: the video is not used"))
    return annotations, problems
