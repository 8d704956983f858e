"""Which picture every sampled frame shows, on files whose pictures carry their number."""

from fractions import Fraction

import av
import numpy as np
import pytest
from films import RATE, encode, gray, numbered, numbers, shown

from videobert_jax.errors import VideoError
from videobert_jax.video.frames import read_clips, read_frames

FPS = 20
RATES = {"23.976": Fraction(24000, 1001), "25": 25, "29.97": Fraction(30000, 1001), "30": 30, "60": 60}
FIRST = {
    "23.976": [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13],
    "25": [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13],
    "29.97": [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16],
    "30": [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16],
    "60": [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33],
}
PYRAMID = {"x264-params": "bframes=3:b-pyramid=normal"}  # pictures are stored in quite another order
NUMBERED = {"options": {"preset": "ultrafast", "crf": "30"}}


def latest(begins, instants):
    """The latest picture that has begun by each instant, or begins within a thousandth of a second."""
    return [
        max(k for k, begin in enumerate(begins) if begin <= i / Fraction(FPS) + Fraction(1, 1000)) for i in instants
    ]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", RATES)
def test_each_clip_shows_the_right_pictures(tmp_path, rate, suffix):
    """Exactly: mp4 keeps the times as fractions, Matroska rounds them to thousandths of a second."""
    exact = [index / Fraction(RATES[rate]) for index in range(round(4 * RATES[rate]))]
    clock = 1000 if suffix == "mkv" else Fraction(RATES[rate])
    stamps = [round(begin * clock) for begin in exact]
    path = encode(
        tmp_path / f"video.{suffix}",
        [numbered(i) for i in range(len(exact))],
        stamps,
        clock,
        rate=RATES[rate],
        **NUMBERED,
    )
    clips = list(read_clips(path, FPS, 30, 48))
    found = [numbers(clip) for clip in clips]
    assert found[0][:12] == FIRST[rate]
    assert found == [latest([stamp / Fraction(clock) for stamp in stamps], range(j, j + 30)) for j in (0, 30)]


def test_a_variable_rate_is_sampled_exactly(tmp_path):
    stamps = np.cumsum([0, *np.random.default_rng(0).integers(1, 150, 60)]).tolist()
    path = encode(tmp_path / "video.mkv", [numbered(i) for i in range(len(stamps))], stamps, **NUMBERED)
    instants = range(stamps[-1] * FPS // 1000)
    found = numbers(read_frames(path, FPS, 48))
    assert found[: len(instants)] == latest([Fraction(stamp, 1000) for stamp in stamps], instants)
    assert len(set(found)) < len(stamps)  # some are too short to be seen


@pytest.mark.parametrize("offset", [0, 5007, 86_400_000])
def test_a_frame_is_as_late_as_the_clock_is_coarse(tmp_path, offset):
    """One thousandth after the instant is in time, two are not, wherever the clock starts."""
    stamps = [offset + time for time in (0, 51, 102, 150, 201, 252)]
    path = encode(tmp_path / "video.mkv", [numbered(i) for i in range(6)], stamps, rate=20, **NUMBERED)
    assert numbers(read_frames(path, FPS, 48))[:6] == [0, 1, 1, 3, 4, 4]


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("pictures.h264", "libx264", "h264"),  # has no times at all
        ("pictures.hevc", "libx265", "hevc"),
        ("pictures.m4v", "mpeg4", "m4v"),
        ("pictures.avi", "libx264", "avi"),  # has no times of presentation, and B-frames
        ("other.avi", "mpeg4", "avi"),
        ("pictures.ts", "libx264", "mpegts"),  # begins at 1.4 s
        ("pictures.flv", "libx264", "flv"),
        ("pictures.wmv", "mpeg4", "asf"),
    ],
)
def test_times_that_are_missing_follow_from_the_rate(tmp_path, name, codec, form):
    options = {"libx264": PYRAMID, "mpeg4": {"bf": "2"}}.get(codec, {}) if form != "m4v" else {}
    path = encode(tmp_path / name, [gray(i) for i in range(20)], clock=RATE, codec=codec, form=form, options=options)
    assert shown(read_frames(path, RATE, 16)) == [*range(10), *range(10)]


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_open_groups_of_pictures_are_in_order(tmp_path, suffix):
    options = {"x264-params": "open-gop=1:keyint=8:bframes=3:b-pyramid=normal"}
    pictures = [numbered(i) for i in range(40)]
    path = encode(tmp_path / f"video.{suffix}", pictures, clock=RATE, options=options)
    assert numbers(read_frames(path, RATE, 48)) == list(range(40))


@pytest.fixture
def steady(tmp_path):
    """40 pictures in one Matroska cluster, in presentation order."""
    return encode(tmp_path / "steady.mkv", [numbered(i) for i in range(40)], options={"bf": "0"})


def restamp(path, changes):
    """Changes the times of pictures, in milliseconds; no muxer writes a clock that runs backwards."""
    content = path.read_bytes()
    for old, new in changes.items():
        before, after = (b"\x81" + time.to_bytes(2, "big", signed=True) for time in (old, new))  # with the track
        first = content.index(b"\xa3", content.index(b"\x1f\x43\xb6\x75"))  # block of the cluster
        assert content.count(before, first) == 1
        content = content[:first] + content[first:].replace(before, after)
    path.write_bytes(content)


def test_a_picture_that_is_too_early_is_left_out(steady):
    restamp(steady, {2000: 1234})
    assert numbers(read_frames(steady, RATE, 48)) == [*range(20), 19, *range(21, 40)]


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_no_times_of_presentation(tmp_path, count):
    """Some cameras omit them; only decoding times remain, though the order differs."""
    path = encode(tmp_path / "good.mp4", [numbered(i) for i in range(count)], clock=RATE, options=PYRAMID)
    bad = tmp_path / "bad.mp4"
    with av.open(path) as source, av.open(bad, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.stream = stream
                packet.pts = packet.dts = index * packet.duration
                container.mux(packet)
    assert numbers(read_frames(bad, RATE, 48)) == list(range(count))


def pack_pictures(source, target):
    """Writes an AVI file as DivX and Xvid do: with the first of two B-pictures in the packet of the picture before."""
    signature, placeholder = b"\0\0\1\xb2DivX503b1393p", b"\0\0\1\xb6\x51\xcf"
    with av.open(source) as plain, av.open(target, "w") as container:
        stream = container.add_stream_from_template(plain.streams.video[0])
        packets = [packet for packet in plain.demux(video=0) if packet.size]
        content = [bytes(packet) for packet in packets]
        for index in range(1, len(content) - 2, 3):  # a P-picture and the two that are shown before it
            content[index : index + 3] = [content[index] + content[index + 1], content[index + 2], placeholder]
        begin = content[0].index(b"\0\0\1\xb6")
        content[0] = content[0][:begin] + signature + content[0][begin:]
        for index, data in enumerate(content):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.pts = packet.dts = index
            packet.is_keyframe = index == 0
            container.mux(packet)
    return target


def test_packed_pictures_are_in_order(tmp_path):
    """Many an AVI file of the years around 2005 is such; FFmpeg cannot tell when its pictures are shown."""
    options = {"bf": "2", "b_strategy": "0", "g": "300", "sc_threshold": "1000000000"}
    pictures = [numbered(i) for i in range(40)]
    plain = encode(tmp_path / "plain.avi", pictures, clock=RATE, codec="mpeg4", form="avi", options=options)
    packed = pack_pictures(plain, tmp_path / "packed.avi")
    assert numbers(read_frames(packed, RATE, 48)) == list(range(40))


@pytest.mark.parametrize("count", [2, 50])
def test_times_are_kept_where_no_picture_is_out_of_order(tmp_path, count):
    """The file allows reordering but has none, so presentation times look like decoding times."""
    stamps = [100 * i + 70 * (i % 2) for i in range(count)]
    path = encode(
        tmp_path / "video.mkv",
        [numbered(i) for i in range(count)],
        stamps,
        options={"x264-params": "bframes=3:b-adapt=1"},
    )
    instants = range(stamps[-1] * FPS // 1000)
    found = numbers(read_frames(path, FPS, 48))[: len(instants)]
    assert found == latest([Fraction(stamp, 1000) for stamp in stamps], instants)


def test_a_first_picture_without_a_time_is_shown_at_the_start(tmp_path):
    """FFmpeg takes the start of the stream from the second picture, which is therefore not shown."""
    stamps = [5000 + 100 * i for i in range(20)]
    path = encode(tmp_path / "late.mkv", [numbered(i) for i in range(20)], stamps, options={"bf": "0"})
    restamp(path, {0: -30_000})
    assert numbers(read_frames(path, RATE, 48)) == [0, *range(2, 20)]


def test_a_clock_that_runs_backwards_is_refused(steady):
    restamp(steady, {100 * i: 100 * i - 2000 for i in range(20, 24)})
    with pytest.raises(VideoError, match="the clock runs backwards: 4 of 41 pictures are too early"):
        list(read_frames(steady, RATE, 48))


def test_a_clock_that_starts_again_is_refused(tmp_path):
    path = encode(tmp_path / "twice.ts", [numbered(i) for i in range(40)], clock=RATE)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(VideoError, match=r"the clock runs backwards: 4\d of 8\d pictures are too early"):
        list(read_frames(path, RATE, 48))


def test_a_clock_that_jumps_is_refused(tmp_path):
    path = encode(tmp_path / "jump.mkv", [gray(i) for i in range(12)], times=[*range(0, 1100, 100), 10_000_000])
    with pytest.raises(VideoError, match=r"the clock jumps from 1\.0 s to 10000\.0 s"):
        list(read_frames(path, RATE, 48))


def test_a_clock_that_runs_past_the_end_is_refused(tmp_path):
    """The time between pictures, which is stated once, is damaged: 256 times too long."""
    path = encode(tmp_path / "slow.mp4", [gray(i) for i in range(20)], clock=RATE)
    content = path.read_bytes()
    entry = (20).to_bytes(4, "big") + (1024).to_bytes(4, "big")  # of the table stts: pictures, ticks of 1/10240 s
    assert content.count(entry) == 1
    path.write_bytes(content.replace(entry, entry[:4] + (1024 << 8).to_bytes(4, "big")))
    with pytest.raises(VideoError, match=r"the clock jumps from 0\.0 s to 25\.6 s"):
        list(read_frames(path, RATE, 48))
