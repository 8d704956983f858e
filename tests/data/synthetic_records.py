"""Records of synthetic videos, with ids that encode their video, for the tests of this folder."""

import numpy as np

from videobert_jax.data.records import Record
from videobert_jax.tokens import TokenSpace

VIDEOS, WORDS_OF_VIDEO, CLIPS_OF_VIDEO = 12, 1000, 100
FIRST_WORD = 8
TOKENS = TokenSpace(
    text_size=FIRST_WORD + VIDEOS * WORDS_OF_VIDEO,
    visual_size=VIDEOS * CLIPS_OF_VIDEO,
    pad=6,  # not 0, so that nothing takes it for granted
    unknown=1,
    cls=2,
    sep=3,
    mask=4,
    joiner=5,
    unused=(0, 7),
)
CLIP_SECONDS = 1.5


def record(
    video: int, chunk: int = 0, clips: int = 20, sentences: int = 8, words: tuple[int, int] = (3, 9), seed: int = 0
) -> Record:
    """A chunk whose sentences follow each other without a pause and cover all of its clips.

    The words of a chunk are numbered on, and so are the clips of a video, so that an id tells video and place.
    """
    rng = np.random.default_rng([seed, video, chunk])
    lengths = rng.integers(*words, size=sentences)
    start_clip = chunk * clips
    inner = np.sort(rng.uniform(0, clips, max(sentences - 1, 0)))
    bounds = (start_clip + np.concatenate([[0], inner, [clips]])) * CLIP_SECONDS
    first_word = FIRST_WORD + video * WORDS_OF_VIDEO + chunk * 300
    return Record(
        video_id=f"video{video}",
        start_clip=start_clip,
        clip_seconds=CLIP_SECONDS,
        visual_ids=np.arange(
            video * CLIPS_OF_VIDEO + start_clip, video * CLIPS_OF_VIDEO + start_clip + clips, dtype=np.int32
        ),
        token_ids=np.arange(first_word, first_word + lengths.sum(), dtype=np.int32),
        sentence_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        sentence_starts=bounds[:-1].astype(np.float32)[:sentences],
        sentence_ends=bounds[1:].astype(np.float32)[:sentences],
        captions=(f"video {video}, chunk {chunk}",),
        caption_starts=bounds[:1].astype(np.float32),
        caption_ends=bounds[-1:].astype(np.float32),
    )


def corpus(videos: int = VIDEOS, chunks: int = 3) -> list[Record]:
    """Makes the same number of chunks for each video."""
    return [record(video, chunk) for video in range(videos) for chunk in range(chunks)]


def video_of(token: int) -> int:
    """Returns the video that a word or a clip of the joint space comes from."""
    if token >= TOKENS.text_size:
        return (token - TOKENS.text_size) // CLIPS_OF_VIDEO
    return (token - FIRST_WORD) // WORDS_OF_VIDEO
