"""Whole videos, joined again from their records: where any span of seconds becomes a segment."""

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from videobert_jax.data.records import ClipDetails, Record
from videobert_jax.data.segments import Segment, segment
from videobert_jax.errors import ConfigError

# The arrays of a record whose rows follow each other from chunk to chunk.
JOINED = ("visual_ids", "token_ids", "sentence_starts", "sentence_ends", "caption_starts", "caption_ends")


def join(chunks: Sequence[Record]) -> Record:
    """The inverse of `prepare.chunks.cut`: consecutive chunks of a video, in any order, as one record.

    Raises ValueError if one is missing between two others.
    """
    parts = sorted(chunks, key=lambda chunk: chunk.start_clip)
    for before, after in itertools.pairwise(parts):
        if before.start_clip + len(before.visual_ids) != after.start_clip:
            raise ValueError(f"video {after.video_id!r} has no chunk that ends before clip {after.start_clip}")
    if len(parts) == 1:
        return parts[0]

    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in JOINED}
    lengths = np.concatenate([np.diff(part.sentence_offsets) for part in parts])
    details = [part.details for part in parts if part.details is not None]
    return dataclasses.replace(
        parts[0],
        **joined,
        sentence_offsets=np.cumsum([0, *lengths], dtype=np.int32),
        captions=tuple(caption for part in parts for caption in part.captions),
        details=ClipDetails(*map(np.concatenate, zip(*details, strict=True))) if details else None,
    )


class Footage:
    """The videos of a split, by name."""

    def __init__(self, records: Iterable[Record]) -> None:
        chunks: dict[str, list[Record]] = collections.defaultdict(list)
        for record in records:
            chunks[record.video_id].append(record)
        self._videos = {video_id: join(parts) for video_id, parts in chunks.items()}

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._videos

    def __getitem__(self, video_id: str) -> Record:
        """The whole video."""
        return self._videos[video_id]

    @property
    def video_ids(self) -> list[str]:
        """The names of all videos, sorted."""
        return sorted(self._videos)

    def span(self, video_id: str, start: float, end: float, caption: str = "") -> Segment | None:
        """The clips of a video whose centres lie in ``[start, end)`` seconds, or the one nearest to the middle.

        None if the video ends before `start`.
        """
        video = self._videos[video_id]
        clips = len(video.visual_ids)
        if start >= video.border(clips):
            return None
        (first,), (stop,) = video.clips_within(np.array([start]), np.array([end]))
        if first < stop:
            return segment(video, int(first), int(stop), caption)
        middle = int(((start + min(end, start + video.clip_seconds)) / 2 - video.border(0)) // video.step)
        middle = min(max(middle, 0), clips - 1)
        return segment(video, middle, middle + 1, caption)

    def windows(self, video_id: str, seconds: float, step: float = 0.0) -> list[tuple[float, float]]:
        """Spans of so many seconds, one every `step` seconds (0: they do not overlap), to the end of the video.

        The last ends with the video, and so does the only one of a shorter video. Raises ConfigError for windows that
        are shorter than the step from clip to clip, most of which would show the clip of another.
        """
        video = self._videos[video_id]
        if seconds < video.step - 1e-6:
            raise ConfigError(
                f"windows are of {seconds:g} seconds, but video {video_id!r} has a clip every {video.step:g} seconds; "
                "expected windows at least as long"
            )
        length = float(video.border(len(video.visual_ids)))
        starts = np.arange(0.0, max(length - seconds, 0.0) + 1e-6, step or seconds)
        if length - (starts[-1] + seconds) > video.step / 2:
            starts = np.append(starts, length - seconds)
        return [(float(start), float(min(start + seconds, length))) for start in starts]

    def around(self, video_id: str, seconds: float, step: float) -> list[Segment]:
        """Segments of so many seconds, shorter at the ends of the video, around the middle of each `step` seconds.

        Segment i is around the seconds ``[i, i + 1) * step``, the last around what is left of the video.
        """
        video = self._videos[video_id]
        length = float(video.border(len(video.visual_ids)))
        borders = np.minimum(np.arange(math.ceil(round(length / step, 6)) + 1) * step, length)
        middles = (borders[:-1] + borders[1:]) / 2
        spans = zip((middles - seconds / 2).tolist(), (middles + seconds / 2).tolist(), strict=True)
        return [one for one in itertools.starmap(functools.partial(self.span, video_id), spans) if one is not None]
