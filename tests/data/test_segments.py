"""Windows of a record contain every clip and every word exactly once, in the right window."""

import numpy as np
import pytest

from videobert_jax.data.records import Record
from videobert_jax.data.segments import windows


def record(clips: int, spans: list[tuple[float, float]], start_clip: int = 0, seconds: float = 1.5) -> Record:
    """Sentence i has i + 1 words, all of them i."""
    return Record(
        video_id="v",
        start_clip=start_clip,
        clip_seconds=seconds,
        visual_ids=np.arange(clips, dtype=np.int32) * 10,
        token_ids=np.repeat(np.arange(len(spans)), np.arange(len(spans)) + 1).astype(np.int32),
        sentence_offsets=np.cumsum([0, *(np.arange(len(spans)) + 1)], dtype=np.int32),
        sentence_starts=np.array([start for start, _ in spans], np.float32),
        sentence_ends=np.array([end for _, end in spans], np.float32),
    )


def test_a_sentence_belongs_to_the_window_that_its_middle_lies_in() -> None:
    before, on, after = (1.0, 4.9), (5.0, 7.0), (7.1, 7.2)  # the second window begins at 6 s
    first, second = windows(record(7, [before, on, after], start_clip=0), clips=4)
    assert (first.start_clip, first.visual_ids.tolist(), first.spoken) == (0, [0, 10, 20, 30], (0,))
    assert (second.start_clip, second.visual_ids.tolist(), second.spoken) == (4, [40, 50, 60], (1, 1, 2, 2, 2))
    assert (first.video_id, first.caption) == ("v", "")


def test_the_clock_is_that_of_the_video() -> None:
    first, second = windows(record(4, [(15.0, 17.9), (18.0, 21.0)], start_clip=10), clips=2)
    assert (first.start_clip, first.spoken) == (10, (0,))
    assert (second.start_clip, second.spoken) == (12, (1, 1))


@pytest.mark.parametrize("clips", [None, 5, 6])
def test_all_in_one(clips: int | None) -> None:
    (only,) = windows(record(5, [(0.0, 1.0), (7.5, 7.5)]), clips)  # the last begins where the clips end, as stored
    assert (only.visual_ids.tolist(), only.spoken) == ([0, 10, 20, 30, 40], (0, 1, 1))


def test_silence() -> None:
    assert [segment.spoken for segment in windows(record(5, []), 2)] == [(), (), ()]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clips, seconds = int(rng.integers(1, 40)), float(np.float32(rng.choice([1.5, 0.7])))
    moments = np.sort(rng.uniform(0, clips * seconds, 2 * rng.integers(0, 20))).tolist()
    given = record(clips, list(zip(moments[::2], moments[1::2], strict=True)), seconds=seconds)
    size = int(rng.integers(1, 10))
    found = windows(given, size)
    assert [segment.start_clip for segment in found] == list(range(0, clips, size))
    assert max(len(segment.visual_ids) for segment in found) <= size
    np.testing.assert_array_equal(np.concatenate([segment.visual_ids for segment in found]), given.visual_ids)
    assert [word for segment in found for word in segment.spoken] == given.token_ids.tolist()


@pytest.mark.parametrize("clips", [0, -1])
def test_a_window_has_a_clip(clips: int) -> None:
    with pytest.raises(ValueError, match=f"windows of {clips} clips; expected at least 1"):
        windows(record(3, []), clips)
