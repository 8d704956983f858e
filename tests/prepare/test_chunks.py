"""Alignment by time, and cutting that keeps sentences and captions whole."""

import numpy as np
import pytest

from videobert_jax.data.footage import join
from videobert_jax.data.records import Record, decode, encode
from videobert_jax.formats.annotations import Caption
from videobert_jax.prepare import chunks
from videobert_jax.speech.sentences import Sentence


def letters(text: str) -> list[int]:
    return [ord(letter) - ord("a") for letter in text if letter.isalpha()]


def video(clips: int, sentences: list[Sentence], captions: list[Caption], seconds: float = 1.5) -> Record:
    return chunks.whole_video("v", np.arange(clips, dtype=np.int32), seconds, sentences, captions, letters)


def test_a_whole_video() -> None:
    spoken = [Sentence("ab", 0.0, 3.0), Sentence("...", 3.0, 4.0), Sentence("cde", 4.0, 9.9), Sentence("f", 9.0, 9.5)]
    record = video(6, spoken, [Caption("cut", 1.0, 20.0), Caption("late", 9.0, 10.0)])
    record.validate()
    np.testing.assert_array_equal(record.visual_ids, np.arange(6))
    np.testing.assert_array_equal(record.token_ids, [0, 1, 2, 3, 4])  # no words: left out; after the video: left out
    np.testing.assert_array_equal(record.sentence_offsets, [0, 2, 5])
    np.testing.assert_array_equal(record.sentence_ends, [3.0, 9.0])
    assert record.captions == ("cut",)
    np.testing.assert_array_equal(record.caption_ends, [9.0])


def test_chunks_are_cut_between_sentences() -> None:
    spoken = [Sentence("abcd", start, start + 2.9) for start in np.arange(0, 30, 3.0).tolist()]  # two clips each
    parts = list(chunks.cut(video(20, spoken, []), chunk_tokens=18))
    assert [len(chunk.sentence_starts) for chunk in parts] == [2, 3, 2, 3]
    assert [chunk.start_clip for chunk in parts] == [0, 4, 10, 14]
    np.testing.assert_array_equal(parts[1].sentence_offsets, [0, 4, 8, 12])
    np.testing.assert_array_equal(parts[1].sentence_starts, [6, 9, 12])


def test_silence_is_cut_evenly() -> None:
    parts = list(chunks.cut(video(100, [], []), chunk_tokens=30))
    assert [len(chunk.visual_ids) for chunk in parts] == [25, 25, 25, 25]
    (only,) = chunks.cut(video(1, [], []), chunk_tokens=30)
    assert only.sentence_offsets.tolist() == [0]


def test_a_border_keeps_out_of_captions() -> None:
    parts = list(chunks.cut(video(20, [], [Caption("stir", 1.5, 25.0)]), chunk_tokens=5))
    with_caption = [chunk for chunk in parts if chunk.captions]
    assert [(chunk.start_clip, len(chunk.visual_ids)) for chunk in with_caption] == [(1, 16)]


def test_a_sentence_that_begins_at_the_very_end() -> None:
    """Stored as float32, its start is the end of the last clip."""
    (chunk,) = chunks.cut(video(7, [Sentence("a", 10.5 - 1e-9, 11.0)], []), chunk_tokens=30)
    assert (chunk.sentence_starts, chunk.sentence_ends) == (10.5, 10.5)


def test_a_word_shorter_than_a_step_belongs_to_the_clip_that_is_centred_on_it() -> None:
    """Clips of two seconds, every half: the centre of clip i is at 1 + i / 2."""
    words = [Sentence("a", 2.05, 2.25), Sentence("b", 3.55, 3.85), Sentence("c", 5.05, 5.3)]
    record = chunks.whole_video("v", np.arange(15, dtype=np.int32), 2.0, words, [], letters, clip_step=0.5)
    assert chunks._clip_spans(record, record.sentence_starts, record.sentence_ends)[0].tolist() == [2, 5, 8]


def random_video(seed: int) -> Record:
    rng = np.random.default_rng(seed)
    seconds = float(rng.choice([1.5, 1.0, 0.7]))
    clips = int(rng.integers(1, 80))
    moments = np.sort(rng.uniform(0, clips * seconds * 1.1, 2 * rng.integers(0, 25))).tolist()
    spoken = [
        Sentence("x" * int(rng.integers(1, 12)), start, end)
        for start, end in zip(moments[::2], moments[1::2], strict=True)
    ]
    segments = np.sort(rng.uniform(0, clips * seconds, (rng.integers(0, 8), 2)), axis=1)
    segments[::2] = (np.floor(segments[::2] / seconds) + 0.5) * seconds  # centres of clips, where rounding decides
    segments[:, 1] = np.minimum(segments[:, 1], segments[:, 0] + rng.choice([0.1, 5.0, 40.0], len(segments)))
    captions = [Caption(f"caption {index}", *segment) for index, segment in enumerate(sorted(segments.tolist()))]
    return video(clips, spoken, captions, seconds)


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_doubled_or_torn(seed: int) -> None:
    """After encoding and decoding, each span still has all its clips in a single chunk."""
    uncut = random_video(seed)
    whole = decode(encode(uncut))
    parts = [decode(encode(chunk)) for chunk in chunks.cut(uncut, chunk_tokens=8)]
    for name in ("visual_ids", "token_ids", "sentence_starts", "sentence_ends"):
        np.testing.assert_array_equal(np.concatenate([getattr(chunk, name) for chunk in parts]), getattr(whole, name))
    assert sorted(text for chunk in parts for text in chunk.captions) == sorted(whole.captions)
    expected = dict(zip(whole.captions, clips_of(whole, "caption"), strict=True))
    for chunk in parts:
        assert clips_of(chunk, "caption") == [expected[text] for text in chunk.captions]
    assert [span for chunk in parts for span in clips_of(chunk, "sentence")] == clips_of(whole, "sentence")
    again = join(parts[::-1])
    for name in ("visual_ids", "token_ids", "sentence_offsets", "sentence_starts", "sentence_ends"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def clips_of(record: Record, kind: str) -> list[list[int]]:
    """Returns, for each sentence or caption, the indices of its clips in the video, as computed from the record."""
    spans = record.clips_within(getattr(record, f"{kind}_starts"), getattr(record, f"{kind}_ends"))
    return [
        list(range(record.start_clip + first, record.start_clip + stop)) for first, stop in zip(*spans, strict=True)
    ]
