"""Decoding, on files that are made here: gray pictures whose brightness tells when they were shown."""

import itertools
import pathlib
import resource
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from videobert_jax.prepare import video as video_lib
from videobert_jax.prepare.video import VideoError, read_clips, read_frames

RATE = 10
STEP = 20  # of brightness from frame to frame


def gray(index):
    return np.full((48, 64, 3), 20 + STEP * (index % 10), np.uint8)


def encode(path, pictures, times=None, clock=1000, codec="libx264", rotation=0, sound_seconds=0):
    """Writes pictures shown at `times`, in ticks of 1/clock s; by default one every 1/RATE s."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, clock)
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=8000) if sound_seconds else None
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = times[index] if times else index * clock // RATE
            frame.time_base = Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            mux_silence(container, sound, sound_seconds)
    return path


def mux_silence(container, stream, seconds):
    for _ in range(seconds):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    container.mux(stream.encode())


def shown(frames):
    """The index of each picture, from its brightness."""
    return [round((float(frame.mean()) - 20) / STEP) for frame in frames]


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


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_variable_rate_keeps_its_timing(tmp_path, container):
    path = encode(tmp_path / f"video.{container}", [gray(i) for i in range(6)], times=[0, 100, 150, 700, 1200, 1300])
    assert shown(itertools.islice(read_frames(path, RATE, 16), 13)) == [0, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]


def test_a_clock_of_milliseconds_repeats_and_skips_nothing(tmp_path):
    times = [round(i * 1000 / 30) for i in range(30)]  # 0, 33, 67, 100, ...: some ticks lie after the true instant
    path = encode(tmp_path / "video.mkv", [gray(i) for i in range(30)], times)
    assert shown(itertools.islice(read_frames(path, 30, 16), 30)) == [i % 10 for i in range(30)]


def test_time_counts_from_the_first_frame(tmp_path):
    path = encode(tmp_path / "late.mkv", [gray(i) for i in range(10)], times=range(5000, 6000, 100))
    assert shown(read_frames(path, RATE, 16)) == list(range(10))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(tmp_path, rotation):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24] = 200  # bright above
    path = encode(tmp_path / "phone.mp4", [picture] * 10, rotation=rotation)
    frame = next(read_frames(path, RATE, 16)).astype(int)
    bright = {"top": frame[:8], "bottom": frame[8:], "left": frame[:, :8], "right": frame[:, 8:]}
    # A display rotation is counter-clockwise, as for FFmpeg.
    expected = {90: "left", 180: "bottom", 270: "right"}[rotation]
    assert max(bright, key=lambda side: bright[side].mean()) == expected


@pytest.mark.parametrize(("codec", "suffix"), [("libvpx-vp9", "webm"), ("libx265", "mp4"), ("mpeg4", "avi")])
def test_other_formats_give_the_same_clips(tmp_path, codec, suffix):
    path = encode(tmp_path / f"video.{suffix}", [gray(i) for i in range(20)], clock=RATE, codec=codec)
    assert [shown(clip) for clip in read_clips(path, RATE, 10, 32)] == [list(range(10))] * 2


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
    check_fault(tmp_path / "absent.mp4", "not decodable: No such file")
    (tmp_path / "empty.mp4").touch()
    check_fault(tmp_path / "empty.mp4", "the file is empty")
    (tmp_path / "text.mp4").write_text("not a video\n" * 1000)
    check_fault(tmp_path / "text.mp4", "not decodable: Invalid data")
    check_fault(encode(tmp_path / "short.mp4", [gray(0)] * 9), r"too short: 0\.90 s, and a clip takes 1\.00 s")


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


def test_a_clock_that_jumps_is_refused(tmp_path):
    path = encode(tmp_path / "jump.mkv", [gray(i) for i in range(12)], times=[*range(0, 1100, 100), 10_000_000])
    check_fault(path, r"the clock jumps from 1\.0 s to 10000\.0 s")


def test_memory_does_not_grow_with_length(tmp_path):
    path = encode(tmp_path / "long.mp4", [gray(i) for i in range(600)])
    clips = read_clips(path, RATE, 10, 256)  # 600 frames would take 118 MB
    next(clips)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in clips) == 59
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_frames_that_go_back_in_time_are_left_out():
    """No muxer writes such a file; damaged ones have them."""
    frames = [
        SimpleNamespace(time=time, duration=1, time_base=Fraction(1, RATE)) for time in (0.0, 0.1, 0.05, 0.1, 0.2)
    ]
    container = SimpleNamespace(decode=lambda stream: frames, duration=None)
    stream = SimpleNamespace(duration=None, time_base=None, average_rate=None)
    times = [time for time, _ in video_lib._moments(container, stream, pathlib.Path("damaged.mp4"))]
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3])
