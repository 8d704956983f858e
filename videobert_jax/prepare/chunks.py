"""Aligns the clips, sentences and captions of a video by time and cuts them into records (VideoBERT, section 3.2).

A clip belongs to the sentence or caption that contains its centre.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from videobert_jax.data.records import ClipDetails, Record
from videobert_jax.formats.annotations import Caption
from videobert_jax.speech.sentences import Sentence


def whole_video(
    video_id: str,
    visual_ids: np.ndarray,
    clip_seconds: float,
    sentences: Sequence[Sentence],
    captions: Sequence[Caption],
    encode: Callable[[str], list[int]],
    clip_step: float = 0.0,
    details: ClipDetails | None = None,
) -> Record:
    """Returns a video as one long record.

    Leaves out sentences and captions that begin after the last clip, and sentences without tokens.

    Args:
      video_id: the video's name.
      visual_ids: int32 [n], n at least 1.
      clip_seconds: length of a clip.
      sentences: in order of time, without overlap.
      captions: in order of time; they may overlap.
      encode: maps text to WordPieces.
      clip_step: seconds from the start of a clip to that of the next; 0: `clip_seconds`.
      details: what else is kept of the clips.
    """
    step = clip_step or clip_seconds
    end = len(visual_ids) * step + (clip_seconds - step)
    spoken = [(s, ids) for s in sentences if s.start < end and (ids := encode(s.text))]
    seen = [caption for caption in captions if caption.start < end]
    return Record(
        video_id=video_id,
        start_clip=0,
        clip_seconds=float(np.float32(clip_seconds)),  # rounded as in storage, so that readers find the same clips
        visual_ids=visual_ids.astype(np.int32),
        token_ids=np.array([token for _, ids in spoken for token in ids], np.int32),
        sentence_offsets=np.cumsum([0] + [len(ids) for _, ids in spoken], dtype=np.int32),
        sentence_starts=np.array([sentence.start for sentence, _ in spoken], np.float32),
        sentence_ends=np.array([min(sentence.end, end) for sentence, _ in spoken], np.float32),
        captions=tuple(caption.text for caption in seen),
        caption_starts=np.array([caption.start for caption in seen], np.float32),
        caption_ends=np.array([min(caption.end, end) for caption in seen], np.float32),
        clip_step=float(np.float32(clip_step)),
        details=details,
    )


def cut(video: Record, chunk_tokens: int) -> Iterator[Record]:
    """Cuts a video into chunks of about `chunk_tokens` words and clips, of sizes as equal as possible.

    No border separates the clips of a sentence or caption. So each sentence and caption is in exactly one chunk, with
    all its clips, and a long series of overlapping captions makes a chunk larger.
    """
    clips = len(video.visual_ids)
    sentences = _clip_spans(video, video.sentence_starts, video.sentence_ends)
    captions = _clip_spans(video, video.caption_starts, video.caption_ends)
    parted = np.zeros(clips + 1, np.int64)  # number of spans that a border before this clip would split
    for firsts, stops in (sentences, captions):
        np.add.at(parted, firsts + 1, 1)
        np.add.at(parted, stops, -1)
    candidates = np.flatnonzero(np.cumsum(parted)[1:clips] == 0) + 1

    size = np.ones(clips, np.int64)
    np.add.at(size, sentences[0], np.diff(video.sentence_offsets))
    passed = np.cumsum(size)
    count = math.ceil(passed[-1] / chunk_tokens)
    borders = {0, clips}
    if len(candidates):
        targets = passed[-1] * np.arange(1, count) / count
        borders |= {int(candidates[np.abs(passed[candidates - 1] - target).argmin()]) for target in targets}
    for start, stop in itertools.pairwise(sorted(borders)):
        yield _chunk(video, start, stop, sentences[0], captions[0])


def _clip_spans(video: Record, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the clips [first, stop) of each span of seconds; for a span without clips, the clip at its midpoint."""
    first, stop = video.clips_within(starts, ends)
    middle = (((starts + ends) / 2 - video.border(0)) / video.step).astype(np.int64)
    middle = middle.clip(0, len(video.visual_ids) - 1)
    first = np.where(first < stop, first, middle)
    return first, np.maximum(stop, first + 1)


def _chunk(video: Record, start: int, stop: int, sentence_clips: np.ndarray, caption_clips: np.ndarray) -> Record:
    """Returns clips [start, stop), with the sentences and captions whose first clip is among them."""
    s = slice(*np.searchsorted(sentence_clips, (start, stop)))
    c = np.flatnonzero((start <= caption_clips) & (caption_clips < stop))  # first clips of captions may not be sorted
    offsets = video.sentence_offsets[s.start : s.stop + 1]
    return Record(
        video_id=video.video_id,
        start_clip=start,
        clip_seconds=video.clip_seconds,
        visual_ids=video.visual_ids[start:stop],
        token_ids=video.token_ids[offsets[0] : offsets[-1]],
        sentence_offsets=offsets - offsets[0],
        sentence_starts=video.sentence_starts[s],
        sentence_ends=video.sentence_ends[s],
        captions=tuple(video.captions[index] for index in c),
        caption_starts=video.caption_starts[c],
        caption_ends=video.caption_ends[c],
        clip_step=video.clip_step,
        details=None if video.details is None else video.details.at(slice(start, stop)),
    )
