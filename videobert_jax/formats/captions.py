"""Captions in the JSON formats of YouCook2, MSR-VTT and ActivityNet Captions.

A caption without words, or whose times are not 0 <= start < end, is left out with a `Problem`. If a file names a video
twice, the first split counts.

* YouCook2: ``{"database": {video id: {"subset", "annotations": [{"segment": [start, end], "sentence"}]}}}``.
* MSR-VTT: ``{"videos": [{"video_id", "start time", "end time", "split"}], "sentences": [{"video_id", "caption"}]}``.
  The times are those of the clip in a longer video; a caption describes the whole clip.
* ActivityNet Captions: ``{"v_<id>": {"duration", "timestamps": [[start, end]], "sentences": [str]}}``, one file per
  split. A file with "test" in its name is for testing, one with "val" is held out, and any other is trained on.
  Segments end at the latest with the video. The video file may be named ``v_<id>`` or ``<id>``.
"""

import functools
import math
import re
from collections.abc import Set
from typing import Any

from videobert_jax.formats.annotations import Caption, CollectedAnnotations, caption


def is_youcook2(content: Any) -> bool:
    """Whether JSON content has YouCook2's schema."""
    return isinstance(content, dict) and isinstance(content.get("database"), dict)


def is_msrvtt(content: Any) -> bool:
    """Whether JSON content has MSR-VTT's schema."""
    return isinstance(content, dict) and all(isinstance(content.get(name), list) for name in ("videos", "sentences"))


def is_activitynet(content: Any) -> bool:
    """Whether JSON content has the schema of ActivityNet Captions, judging by its first video."""
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    return isinstance(first, dict) and {"timestamps", "sentences"} <= first.keys()


def from_youcook2(content: dict[str, Any], video_ids: Set[str]) -> CollectedAnnotations:
    """Collects the annotations of `video_ids`."""
    found = CollectedAnnotations()
    for video_id in sorted(video_ids & content["database"].keys()):
        entry = content["database"][video_id]
        items = entry.get("annotations") if isinstance(entry, dict) else None
        if not isinstance(items, list):
            found.refuse(video_id, f'unusable: its entry {str(entry)[:40]!r} has no list "annotations"')
            continue
        found.place(video_id, entry.get("subset"))
        for index, item in enumerate(items):
            found.add(video_id, f"{video_id}, caption {index}", functools.partial(_youcook2_caption, item))
    return found


def _youcook2_caption(item: dict[str, Any]) -> Caption:
    start, end = item["segment"]
    return caption(item["sentence"], (start, end))


def from_msrvtt(content: dict[str, Any], video_ids: Set[str]) -> CollectedAnnotations:
    """Collects the annotations of `video_ids`."""
    found = CollectedAnnotations()
    videos: dict[str, dict[str, Any]] = {}

    def known_id(name: str, index: int, entry: Any) -> str | None:
        video_id = entry.get("video_id") if isinstance(entry, dict) else None
        if not isinstance(video_id, str):
            found.refuse(f"{name}, entry {index}", 'unusable: it lacks a "video_id"')
            return None
        return video_id if video_id in video_ids else None

    for index, video in enumerate(content["videos"]):
        if video_id := known_id("videos", index, video):
            videos.setdefault(video_id, video)
            found.place(video_id, video.get("split"))
    for index, sentence in enumerate(content["sentences"]):
        if (video_id := known_id("sentences", index, sentence)) in videos:
            read = functools.partial(_msrvtt_caption, sentence, videos[video_id])
            found.add(video_id, f"{video_id}, sentence {index}", read)
    return found


def _msrvtt_caption(sentence: dict[str, Any], video: dict[str, Any]) -> Caption:
    return caption(sentence["caption"], (0.0, float(video["end time"]) - float(video["start time"])))


def from_activitynet(content: dict[str, Any], file_name: str, video_ids: Set[str]) -> CollectedAnnotations:
    """Collects the annotations of `video_ids`."""
    found = CollectedAnnotations()
    named = re.search(r"(?<![a-z])(test|val)", file_name.lower())
    for video_id in sorted(video_ids):
        name = video_id if video_id in content else f"v_{video_id}"
        if name in content:
            found.place(video_id, named[1] if named else "train")
            _add_activitynet(found, video_id, f"{file_name}, {name}", content[name])
    return found


def _add_activitynet(found: CollectedAnnotations, video_id: str, place: str, entry: Any) -> None:
    try:
        segments, sentences, duration = list(entry["timestamps"]), list(entry["sentences"]), entry.get("duration")
    except (KeyError, TypeError) as error:
        found.refuse(place, f"unusable: {error!r}")
        return
    if len(segments) != len(sentences):
        reason = f"{len(segments)} timestamps for {len(sentences)} sentences: those without a match are left out"
        found.refuse(place, reason)
    ends = duration if isinstance(duration, int | float) and duration > 0 else math.inf
    for index, (segment, sentence) in enumerate(zip(segments, sentences, strict=False)):
        read = functools.partial(_activitynet_caption, sentence, segment, ends)
        found.add(video_id, f"{place}, caption {index}", read)


def _activitynet_caption(sentence: Any, segment: Any, ends: float) -> Caption:
    start, end = map(float, segment)
    return caption(sentence, (start, float(min(end, ends))))
