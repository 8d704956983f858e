"""Decoding of generated files: grey pictures whose brightness encodes when they were shown."""

import itertools
import resource
from fractions import Fraction

import av
import numpy as np
import pytest
from films import RATE, encode, gray, mux_silence, shown

from videobert_jax.errors import VideoError
from videobert_jax.video.frames import read_clips, read_frames, stated_length


@pytest.fixture
def video(tmp_path):
    return encode(tmp_path / "video.mp4", [gray(i) for i in range(25)])


def test_clips_follow_one_another_and_a_partial_one_is_dropped(video):
    clips = list(read_clips(video, fps=RATE, clip_frames=10, image_size=32))
    assert [clip.shape for clip in clips] == [(10, 32, 32, 3)] * 2
    assert all(clip.dtype == np.uint8 for clip in clips)
    assert [shown(clip) for clip in clips] == [list(range(10))] * 2


def test_the_last_frame_lasts_its_duration(video):
    assert shown(read_frames(video, RATE, 16)) == [i % 10 for i in range(25)]
    assert shown(read_frames(video, 2 * RATE, 16)) == [i // 2 % 10 for i in range(50)]


@pytest.mark.parametrize(("fps", "expected"), [(5, [0, 2, 4, 6, 8] * 2), (4, [0, 2, 5, 7] * 2), (1, [0, 0])])
def test_a_lower_rate_takes_the_frame_on_show_at_each_instant(video, fps, expected):
    assert shown(itertools.islice(read_frames(video, fps, 16), len(expected))) == expected


def test_time_counts_from_the_first_frame(tmp_path):
    path = encode(tmp_path / "late.mkv", [gray(i) for i in range(10)], times=range(5000, 6000, 100))
    assert shown(read_frames(path, RATE, 16)) == list(range(10))


def test_the_number_of_threads_changes_nothing(video):
    one, many = (np.stack(list(read_frames(video, RATE, 32, threads))) for threads in (1, 4))
    np.testing.assert_array_equal(one, many)


def test_sound_that_outlasts_the_picture_is_no_truncation(tmp_path):
    path = encode(tmp_path / "long.mp4", [gray(i) for i in range(20)], sound_seconds=30)
    assert len(list(read_clips(path, RATE, 10, 16))) == 2


def check_fault(path, reason):
    with pytest.raises(VideoError, match=reason) as caught:
        list(read_clips(path, RATE, 10, 16))
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_an_unusable_file_is_refused_with_its_reason(tmp_path):
    check_fault(tmp_path / "absent.mp4", "there is no such file")
    (tmp_path / "empty.mp4").touch()
    check_fault(tmp_path / "empty.mp4", "the file is empty")
    (tmp_path / "text.mp4").write_text("not a video\n" * 1000)
    check_fault(tmp_path / "text.mp4", "not decodable: Invalid data")
    check_fault(encode(tmp_path / "short.mp4", [gray(0)] * 9), r"too short: 0\.90 s, a clip needs 1\.00 s")


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.m4a"
    with av.open(path, "w") as container:
        mux_silence(container, container.add_stream("aac", rate=8000), 2)
    check_fault(path, "no video stream")


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (60, 48, 64, 3), dtype=np.uint8)


def test_truncation_is_noticed(tmp_path, noise):
    path = encode(tmp_path / "whole.mkv", list(noise))
    content = path.read_bytes()
    path = tmp_path / "half.mkv"
    path.write_bytes(content[: len(content) // 2])
    check_fault(path, r"truncated: 2\.\d s of 6\.0 s can be decoded")


def test_a_file_without_its_index_is_refused(tmp_path, noise):
    path = encode(tmp_path / "whole.mp4", list(noise))
    path.write_bytes(path.read_bytes()[:50_000])
    check_fault(path, "not decodable: Invalid data")


def test_memory_does_not_grow_with_length(tmp_path):
    path = encode(tmp_path / "long.mp4", [gray(i) for i in range(600)])
    clips = read_clips(path, RATE, 10, 256)  # 600 frames would take 118 MB
    next(clips)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in clips) == 59
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_the_length_that_the_header_states(video, tmp_path):
    assert stated_length(video) == Fraction(5, 2)
    sound = encode(tmp_path / "long.mp4", [gray(i) for i in range(20)], sound_seconds=30)
    assert stated_length(sound) == 2  # of the pictures
    (tmp_path / "words.mp4").write_text("this is no video")
    for name in ("absent.mp4", "words.mp4"):
        assert stated_length(tmp_path / name) is None


def test_a_stream_without_a_header_states_no_length(tmp_path):
    """Raw H.264 has none."""
    assert stated_length(encode(tmp_path / "raw.h264", [gray(i) for i in range(25)])) is None
