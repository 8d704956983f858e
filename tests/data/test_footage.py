"""Whole videos from their chunks, and segments of any span."""

import numpy as np
import pytest
from synthetic_records import CLIP_SECONDS, record

from videobert_jax.data.footage import Footage, join
from videobert_jax.errors import ConfigError

CLIPS = 60


@pytest.fixture(scope="module")
def footage() -> Footage:
    chunks = [record(video, chunk) for chunk in (2, 0, 1) for video in range(3)]
    return Footage(chunks)


def test_a_video_is_whole_again(footage: Footage) -> None:
    video = footage["video1"]
    assert footage.video_ids == ["video0", "video1", "video2"]
    assert "video1" in footage
    assert "video7" not in footage
    np.testing.assert_array_equal(video.visual_ids, np.arange(100, 100 + CLIPS))
    assert len(video.sentence_starts) == len(video.sentence_offsets) - 1 == 24
    assert video.sentence_offsets[-1] == len(video.token_ids)
    assert video.captions == tuple(f"video 1, chunk {chunk}" for chunk in range(3))
    video.validate()


def test_a_chunk_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="'video1' has no chunk that ends before clip 40"):
        join([record(1, 0), record(1, 2)])


def test_a_span_has_the_clips_whose_centres_it_holds_over_borders_of_chunks(footage: Footage) -> None:
    found = footage.span("video1", 18 * CLIP_SECONDS, 23 * CLIP_SECONDS, "stir")
    assert found is not None
    assert (found.video_id, found.caption, found.start_clip) == ("video1", "stir", 18)
    np.testing.assert_array_equal(found.visual_ids, np.arange(118, 123))
    everything = footage.span("video1", 0.0, np.inf)
    assert everything is not None
    assert len(everything.visual_ids) == CLIPS
    assert everything.spoken == tuple(footage["video1"].token_ids.tolist())


@pytest.mark.parametrize(("start", "end", "clip"), [(3.1, 3.2, 2), (0.0, 0.1, 0), (7.6, 8.2, 5), (89.9, np.inf, 59)])
def test_a_span_without_a_centre_has_the_clip_around_its_middle(
    footage: Footage, start: float, end: float, clip: int
) -> None:
    found = footage.span("video0", start, end)
    assert found is not None
    assert (found.start_clip, found.visual_ids.tolist()) == (clip, [clip])


def test_a_span_after_the_video_has_nothing(footage: Footage) -> None:
    assert footage.span("video0", CLIPS * CLIP_SECONDS, CLIPS * CLIP_SECONDS + 1) is None


def test_windows_cover_a_video_to_its_end(footage: Footage) -> None:
    assert footage.windows("video0", 40.0) == [(0.0, 40.0), (40.0, 80.0), (50.0, 90.0)]
    assert footage.windows("video0", 30.0) == [(0.0, 30.0), (30.0, 60.0), (60.0, 90.0)]
    assert footage.windows("video0", 60.0, 10.0) == [(start, start + 60.0) for start in (0.0, 10.0, 20.0, 30.0)]
    assert footage.windows("video0", 200.0) == [(0.0, 90.0)]


def test_segments_around_every_few_seconds_reach_the_end_of_the_video(footage: Footage) -> None:
    seconds = CLIPS * CLIP_SECONDS
    for length, step in ((4 * CLIP_SECONDS, 2 * CLIP_SECONDS), (7.0, 2.0), (0.1, 0.7), (1000.0, 8.0), (3.0, 1000.0)):
        found = footage.around("video1", length, step)
        assert len(found) == int(np.ceil(seconds / step))
        for number, one in enumerate(found):
            middle = (number * step + min((number + 1) * step, seconds)) / 2
            clips = one.start_clip + np.arange(len(one.visual_ids))
            centres = (clips + 0.5) * CLIP_SECONDS
            inside = (centres >= middle - length / 2) & (centres < middle + length / 2)
            assert inside.all() or len(clips) == 1, (length, step, number)


def test_windows_shorter_than_a_clip_are_refused(footage: Footage) -> None:
    with pytest.raises(ConfigError, match=r"windows are of 0\.1 seconds"):
        footage.windows(footage.video_ids[0], 0.1)
