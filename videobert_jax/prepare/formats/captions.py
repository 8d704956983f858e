"""Captions as MSR-VTT and ActivityNet Captions publish them, to annotations.

A caption without words, or whose times are not 0 <= start < end, is left out with a `Problem`. Of a video that a file
names twice, what it says first about the split counts.

* MSR-VTT: ``{"videos": [{"video_id", "start time", "end time", "split"}], "sentences": [{"video_id", "caption"}]}``.
  The times cut the clip out of a longer video; a caption is about the whole clip. Videos of its split "test" are not
  used.
* ActivityNet Captions: ``{"v_<id>": {"duration", "timestamps": [[start, end]], "sentences": [str]}}``, a file for each
  split. The file's name tells which: one with "test" in it is not used, one with "val" is held out, any other is
  trained on. A segment that goes on after the video ends there. The video may be called ``v_<id>`` or ``<id>``.
"""

import collections
import math
import re
from collections.abc import Collection
from typing import Any

from videobert_jax.prepare.annotations import Annotation, Caption, caption
from videobert_jax.prepare.report import Problem

Read = tuple[dict[str, Annotation], list[Problem]]
MSRVTT_SPLITS = {"train": "train", "validate": "validation"}


def is_msrvtt(content: Any) -> bool:
    """Whether the content of a file of JSON has MSR-VTT's schema."""
    return isinstance(content, dict) and all(isinstance(content.get(name), list) for name in ("videos", "sentences"))


def is_activitynet(content: Any) -> bool:
    """Whether the content of a file of JSON has the schema of ActivityNet Captions; its first video tells."""
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    return isinstance(first, dict) and {"timestamps", "sentences"} <= first.keys()


def from_msrvtt(content: dict[str, Any], video_ids: Collection[str]) -> Read:
    """The annotations of those of `video_ids` that the content of the file names."""
    wanted, problems = set(video_ids), []
    videos: dict[str, dict[str, Any]] = {}
    for index, video in enumerate(content["videos"]):
        video_id = video.get("video_id") if isinstance(video, dict) else None
        if not isinstance(video_id, str):
            problems.append(Problem(f"videos, entry {index}", "annotations", 'no video: it lacks a "video_id"'))
        elif video_id in wanted:
            videos.setdefault(video_id, video)
    captions: dict[str, list[Caption]] = collections.defaultdict(list)
    for index, sentence in enumerate(content["sentences"]):
        video_id = sentence.get("video_id") if isinstance(sentence, dict) else None
        if not isinstance(video_id, str):
            problems.append(Problem(f"sentences, entry {index}", "annotations", 'no caption: it lacks a "video_id"'))
        elif video_id in videos:
            try:
                length = float(videos[video_id]["end time"]) - float(videos[video_id]["start time"])
                captions[video_id].append(caption(sentence["caption"], 0.0, length))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                problems.append(Problem(f"{video_id}, sentence {index}", "annotations", f"unusable: {error!r}"))
    annotations = {}
    for video_id, video in videos.items():
        named = video.get("split")
        split = MSRVTT_SPLITS.get(named) if isinstance(named, str) else None
        annotations[video_id] = Annotation(split, tuple(captions[video_id]))
        if split is None:
            reason = f"split {named!r} is neither {' nor '.join(MSRVTT_SPLITS)}: the video is not used"
            problems.append(Problem(video_id, "annotations", reason))
    return annotations, problems


def from_activitynet(content: dict[str, Any], file_name: str, video_ids: Collection[str]) -> Read:
    """The annotations of those of `video_ids` that the content of the file names."""
    named = re.search(r"(?<![a-z])(test|val)", file_name.lower())
    split = {None: "train", "val": "validation", "test": None}[named and named[1]]
    annotations: dict[str, Annotation] = {}
    problems: list[Problem] = []
    for video_id in sorted(video_ids):
        name = video_id if video_id in content else f"v_{video_id}"
        if name not in content:
            continue
        captions, flaws = _activitynet_captions(content[name])
        problems += [Problem(f"{file_name}, {name}", "annotations", flaw) for flaw in flaws]
        annotations[video_id] = Annotation(split, tuple(sorted(captions, key=lambda item: (item.start, item.end))))
        if split is None:
            reason = f"{file_name} is of the test split: the video is not used"
            problems.append(Problem(video_id, "annotations", reason))
    return annotations, problems


def _activitynet_captions(entry: Any) -> tuple[list[Caption], list[str]]:
    """The captions of a video, and what is wrong with the others."""
    try:
        segments, sentences = list(entry["timestamps"]), list(entry["sentences"])
    except (KeyError, TypeError) as error:
        return [], [f"unusable: {error!r}"]
    captions, flaws = [], []
    if len(segments) != len(sentences):
        flaws.append(f"{len(segments)} timestamps of {len(sentences)} sentences: what lacks the other is left out")
    for index, (segment, sentence) in enumerate(zip(segments, sentences, strict=False)):
        try:
            start, end = map(float, segment)
            captions.append(caption(sentence, start, min(end, _duration(entry))))
        except (TypeError, ValueError, OverflowError) as error:
            flaws.append(f"caption {index} is unusable: {error!r}")
    return captions, flaws


def _duration(entry: dict[str, Any]) -> float:
    """Where the video ends."""
    value = entry.get("duration", math.inf)
    return float(value) if isinstance(value, int | float) and value > 0 else math.inf


def merged(parts: Collection[Read]) -> Read:
    """The annotations of several files as one. A video that two files put on different sides is not used."""
    annotations: dict[str, Annotation] = {}
    problems = [problem for _, found in parts for problem in found]
    for part, _ in parts:
        for video_id, new in part.items():
            old = annotations.get(video_id, new)
            extra = () if old is new else new.captions
            captions = sorted((*old.captions, *extra), key=lambda item: (item.start, item.end))
            annotations[video_id] = Annotation(old.split if old.split == new.split else None, tuple(captions))
            if old.split != new.split:
                reason = f"one file has it as {old.split}, another as {new.split}: the video is not used"
                problems.append(Problem(video_id, "annotations", reason))
    return annotations, problems
