"""Segments: stretches of video with their visual words, what is said in them, and what people wrote about them.

Prepared records and a user's own file both lead to segments; inference and evaluation read nothing else.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from videobert_jax.data.records import Record


@dataclasses.dataclass(frozen=True, eq=False)
class Segment:
    """A captioned stretch of one video.

    Attributes:
      video_id: the video's name.
      caption: what is done there, as the ground truth puts it.
      start_clip: index in the video of the first clip of `visual_ids`.
      visual_ids: int32 [n], n at least 1, the visual words of its clips.
      spoken: text ids of the sentences whose middle lies in the time of those clips.
    """

    video_id: str
    caption: str
    start_clip: int
    visual_ids: np.ndarray
    spoken: tuple[int, ...]


def find_segments(records: Iterable[Record]) -> list[Segment]:
    """The captioned segments of the records, in their order; a caption that no clip's centre lies in has none."""
    segments = []
    for record in records:
        firsts, stops = record.clips_within(record.caption_starts, record.caption_ends)
        for caption, first, stop in zip(record.captions, firsts, stops, strict=True):
            if first < stop:
                segments.append(_segment(record, caption, first, stop))
    return segments


def _segment(record: Record, caption: str, first: int, stop: int) -> Segment:
    begin, end = ((record.start_clip + clip) * record.clip_seconds for clip in (first, stop))
    middles = (record.sentence_starts + record.sentence_ends) / 2
    sentences = np.flatnonzero((middles >= begin) & (middles < end))
    words = [record.token_ids[slice(*record.sentence_offsets[index : index + 2])] for index in sentences]
    return Segment(
        video_id=record.video_id,
        caption=caption,
        start_clip=int(record.start_clip + first),
        visual_ids=record.visual_ids[first:stop],
        spoken=tuple(np.concatenate([record.token_ids[:0], *words]).tolist()),
    )


def sentence_segments(records: Iterable[Record]) -> list[Segment]:
    """One segment for each spoken sentence with clips, without a caption: for corpora that have no ground truth."""
    segments = []
    for record in records:
        firsts, stops = record.clips_within(record.sentence_starts, record.sentence_ends)
        for index, (first, stop) in enumerate(zip(firsts, stops, strict=True)):
            if first < stop:
                words = record.token_ids[slice(*record.sentence_offsets[index : index + 2])]
                clips = record.visual_ids[first:stop]
                spoken = tuple(words.tolist())
                segments.append(Segment(record.video_id, "", int(record.start_clip + first), clips, spoken))
    return segments


def evenly_spaced(length: int, count: int) -> np.ndarray:
    """At most `count` of the places [0, length), evenly spaced, int [n]."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(int)
