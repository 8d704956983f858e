"""Video segments with visual words, speech and captions, made from records: the input of inference and evaluation."""

import dataclasses
import itertools
from collections.abc import Iterable

import numpy as np

from videobert_jax.data.records import ClipDetails, Record
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_video
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True, eq=False)
class Segment:
    """A segment of a video.

    Attributes:
      video_id: the video's name.
      caption: the ground-truth caption; "" if there is none.
      start_clip: index of its first clip in the video.
      visual_ids: int32 [n], n at least 1, the visual words of its clips.
      spoken: text ids of its sentences.
      details: what else is known of its clips.
    """

    video_id: str
    caption: str
    start_clip: int
    visual_ids: np.ndarray
    spoken: tuple[int, ...]
    details: ClipDetails | None = None


def find_segments(records: Iterable[Record]) -> list[Segment]:
    """Returns a segment per caption that contains a clip's centre, with sentences whose midpoints its clips cover."""
    segments = []
    for record in records:
        firsts, stops = record.clips_within(record.caption_starts, record.caption_ends)
        for caption, first, stop in zip(record.captions, firsts, stops, strict=True):
            if first < stop:
                segments.append(segment(record, first, stop, caption))
    return segments


def segment(record: Record, first: int, stop: int, caption: str = "") -> Segment:
    """Clips [first, stop) of a record, with the sentences whose midpoints they cover."""
    begin, end = record.border(first), record.border(stop)
    middles = (record.sentence_starts + record.sentence_ends) / 2
    sentences = np.flatnonzero((middles >= begin) & (middles < end))
    words = [record.token_ids[slice(*record.sentence_offsets[index : index + 2])] for index in sentences]
    return Segment(
        video_id=record.video_id,
        caption=caption,
        start_clip=int(record.start_clip + first),
        visual_ids=record.visual_ids[first:stop],
        spoken=tuple(np.concatenate([record.token_ids[:0], *words]).tolist()),
        details=_details(record, first, stop),
    )


def _details(record: Record, first: int, stop: int) -> ClipDetails | None:
    return None if record.details is None else record.details.at(slice(first, stop))


def sentence_segments(records: Iterable[Record]) -> list[Segment]:
    """Returns one segment per sentence that contains a clip's centre, without captions: for corpora that have none."""
    segments = []
    for record in records:
        firsts, stops = record.clips_within(record.sentence_starts, record.sentence_ends)
        for index, (first, stop) in enumerate(zip(firsts, stops, strict=True)):
            if first < stop:
                words = record.token_ids[slice(*record.sentence_offsets[index : index + 2])]
                spoken = Segment(
                    video_id=record.video_id,
                    caption="",
                    start_clip=int(record.start_clip + first),
                    visual_ids=record.visual_ids[first:stop],
                    spoken=tuple(words.tolist()),
                    details=_details(record, first, stop),
                )
                segments.append(spoken)
    return segments


def windows(record: Record, clips: int | None = None) -> list[Segment]:
    """Cuts a record into consecutive segments, without captions; every clip and sentence is in exactly one.

    A sentence belongs to the window that contains its midpoint.

    Args:
      record: has at least one clip, and sentences that do not overlap.
      clips: maximum number of clips per window, ValueError if below 1; None: a single window.
    """
    if clips is not None and clips < 1:
        raise ValueError(f"windows of {clips} clips; expected at least 1, or None for a single window")
    count = len(record.visual_ids)
    borders = [*range(0, count, clips or count), count]
    moments = record.border(np.array(borders[1:-1]))
    middles = (record.sentence_starts + record.sentence_ends) / 2
    sentences = [0, *np.searchsorted(middles, moments).tolist(), len(middles)]
    tokens = record.sentence_offsets[sentences].tolist()
    return [
        Segment(
            video_id=record.video_id,
            caption="",
            start_clip=record.start_clip + first,
            visual_ids=record.visual_ids[first:stop],
            spoken=tuple(record.token_ids[begin:end].tolist()),
            details=_details(record, first, stop),
        )
        for (first, stop), (begin, end) in zip(itertools.pairwise(borders), itertools.pairwise(tokens), strict=True)
    ]


def evenly_spaced(length: int, count: int) -> np.ndarray:
    """Returns at most `count` evenly spaced indices in [0, length), int [n]."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(int)


def beside(words: np.ndarray, segment: Segment, room: int, tokens: TokenSpace) -> TokenSequence:
    """Text ids int32 [m], or none, and at most `room` clips of a segment, evenly spaced."""
    shown = evenly_spaced(len(segment.visual_ids), room)
    clips = segment.visual_ids[shown]
    sequence = encode_joint(words, clips, tokens) if len(words) else encode_video(clips, tokens)
    return sequence._replace(clips=None if segment.details is None else segment.details.at(shown))
