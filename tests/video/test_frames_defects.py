"""Unusual and damaged video files: each is read as intended, or rejected with a clear reason."""

import pathlib
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from films import RATE, encode, gray, numbered, numbers, shown
from PIL import Image

from videobert_jax.errors import VideoError
from videobert_jax.video import frames as video_lib
from videobert_jax.video.frames import read_clips, read_frames

ROOT = pathlib.Path(__file__).parent.parent.parent
QUADRANTS = np.array([[10, 80], [150, 220]])  # of brightness


def quadrants(frame):
    """The brightness of each quarter of a picture, as an index into QUADRANTS."""
    side = len(frame)
    middles = frame[side // 4 :: side // 2, side // 4 :: side // 2].mean(axis=-1)
    return np.argmin(np.abs(middles[..., None] - QUADRANTS.ravel()), axis=-1).tolist()


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, [[0, 1], [2, 3]]),
        (90, False, [[1, 3], [0, 2]]),  # counter-clockwise
        (180, False, [[3, 2], [1, 0]]),
        (270, False, [[2, 0], [3, 1]]),
        (-90, False, [[2, 0], [3, 1]]),
        (0, True, [[1, 0], [3, 2]]),
        (90, True, [[3, 1], [2, 0]]),  # mirrored when turned already
        (180, True, [[2, 3], [0, 1]]),
    ],
)
def test_a_picture_is_turned_and_mirrored_as_the_file_says(tmp_path, rotation, mirrored, expected):
    picture = np.kron(QUADRANTS[..., None], np.ones((24, 32, 3))).astype(np.uint8)
    path = encode(tmp_path / "phone.mp4", [picture] * 10, rotation=rotation, mirrored=mirrored)
    (frame, *_) = read_frames(path, RATE, 16)
    assert quadrants(frame) == expected


@pytest.mark.parametrize(
    ("codec", "suffix", "pixels"),
    [
        ("libvpx-vp9", "webm", "yuv420p"),
        ("libvpx-vp9", "webm", "yuva420p"),  # transparent
        ("libvpx", "webm", "yuv420p"),
        ("libx265", "mp4", "yuv420p10le"),
        ("libsvtav1", "mp4", "yuv420p10le"),
        ("libx264", "mp4", "yuv444p"),
        ("libx264", "mp4", "yuvj420p"),
        ("libx264rgb", "mp4", "rgb24"),
        ("mpeg4", "avi", "yuv420p"),
        ("mpeg2video", "ts", "yuv420p"),
        ("prores_ks", "mov", "yuva444p10le"),
        ("ffv1", "mkv", "gray"),
        ("ffv1", "mkv", "ya8"),
        ("ffv1", "mkv", "bgra"),
        ("ffv1", "mkv", "gbrp16le"),
        ("gif", "gif", "rgb8"),
    ],
)
def test_other_codecs_and_pixels_give_the_same_clips(tmp_path, codec, suffix, pixels):
    rate = 25 if codec == "mpeg2video" else RATE  # it knows few
    pictures = [gray(i) for i in range(20)]
    path = encode(tmp_path / f"video.{suffix}", pictures, clock=rate, codec=codec, pixels=pixels, rate=rate)
    assert [shown(clip) for clip in read_clips(path, rate, 10, 32)] == [list(range(10))] * 2


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 64), (3, 5), (17, 33), (130, 2)])
def test_any_size_works(tmp_path, height, width):
    pictures = [gray(i, height, width) for i in range(10)]
    path = encode(tmp_path / "odd.mkv", pictures, clock=RATE, codec="ffv1", pixels="yuv444p")
    assert shown(read_frames(path, RATE, 16)) == list(range(10))


@pytest.mark.slow
def test_4k_works(tmp_path):
    pictures = [np.kron(numbered(i), np.ones((45, 60, 1), np.uint8)) for i in range(4)]
    assert pictures[0].shape == (2160, 3840, 3)
    path = encode(tmp_path / "4k.mp4", pictures, clock=RATE, options={"preset": "ultrafast"})
    assert numbers(read_frames(path, RATE, 224)) == [0, 1, 2, 3]


def test_the_size_may_change_on_the_way(tmp_path):
    small, large = (
        [numbered(i) for i in range(10)],
        [np.kron(numbered(i), np.ones((2, 3, 1), np.uint8)) for i in range(10, 20)],
    )
    parts = [encode(tmp_path / f"{len(part[0])}.h264", part, clock=RATE, form="h264") for part in (small, large)]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert numbers(read_frames(path, RATE, 48)) == list(range(20))


def test_interlaced_pictures_are_read_as_they_are(tmp_path):
    options = {"x264-params": "interlaced=1"}
    path = encode(tmp_path / "television.ts", [numbered(i) for i in range(20)], clock=RATE, options=options)
    assert numbers(read_frames(path, RATE, 48)) == list(range(20))


def test_the_shape_of_pixels_is_not_kept(tmp_path):
    path = tmp_path / "wide.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 9)
        for index in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index))))
        container.mux(stream.encode())
    assert numbers(read_frames(path, RATE, 48)) == list(range(10))


@pytest.mark.parametrize("muxing", [{}, {"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}])
def test_the_index_of_a_file_may_be_anywhere(tmp_path, muxing):
    path = encode(tmp_path / "video.mp4", [numbered(i) for i in range(20)], clock=RATE, muxing=muxing)
    assert numbers(read_frames(path, RATE, 48)) == list(range(20))


def test_a_wrong_suffix_does_no_harm(tmp_path):
    path = encode(tmp_path / "webm.mp4", [gray(i) for i in range(10)], clock=RATE, codec="libvpx-vp9", form="webm")
    assert shown(read_frames(path, RATE, 16)) == list(range(10))


def test_a_name_is_no_address_and_no_pattern(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = encode(tmp_path / "video.mp4", [gray(i) for i in range(10)])
    for name in ("http:cook.mp4", "100%03d eggs?.mp4", "-f.mp4"):
        path = path.rename(name)
        assert shown(read_frames(pathlib.Path(name), RATE, 16)) == list(range(10))


def test_a_list_of_other_files_is_not_followed(tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="not decodable"):
        list(read_frames(path, RATE, 16))


def test_texts_in_the_header_may_be_in_any_encoding(tmp_path):
    path = encode(tmp_path / "titled.mp4", [gray(i) for i in range(10)], muxing={"metadata": "x"})
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"L\xe9vf"))
    with pytest.raises(UnicodeDecodeError):
        av.open(path)
    assert shown(read_frames(path, RATE, 16)) == list(range(10))


def with_cover(path, pictures=()):
    """Sound, a bright cover picture, and optionally a film."""
    with av.open(path, "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 48, "rgb24", Disposition.attached_pic
        film = container.add_stream("libx264", rate=RATE) if pictures else None
        if film:
            film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("libmp3lame" if path.suffix == ".mp3" else "aac", rate=44100)
        frame = av.VideoFrame.from_ndarray(gray(9))
        frame.pts = 0
        container.mux(cover.encode(frame))
        for picture in pictures:
            container.mux(film.encode(av.VideoFrame.from_ndarray(picture)))
        if film:
            container.mux(film.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        for _ in range(80):
            container.mux(sound.encode(silence))
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize("name", ["song.mp3", "song.mp4"])
def test_a_cover_picture_is_no_video(tmp_path, name):
    check_fault(with_cover(tmp_path / name), "no video stream")


def test_the_cover_picture_of_a_video_is_not_taken_for_it(tmp_path):
    path = with_cover(tmp_path / "video.mp4", [gray(i) for i in range(10)])
    assert shown(read_frames(path, RATE, 16)) == list(range(10))


@pytest.mark.parametrize(("dispositions", "chosen"), [((0, 1), 1), ((1, 1), 0), ((0, 0), 0)])
def test_of_several_videos_the_default_one_is_read(tmp_path, dispositions, chosen):
    path = tmp_path / "several.mkv"
    with av.open(path, "w", options={"default_mode": "passthrough"}) as container:
        streams = [container.add_stream("libx264", rate=RATE) for _ in dispositions]
        for stream, disposition in zip(streams, dispositions, strict=True):
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.disposition = Disposition(disposition)
        for index in range(10):
            for number, stream in enumerate(streams):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(100 * number + index))))
        for stream in streams:
            container.mux(stream.encode())
    assert numbers(read_frames(path, RATE, 48)) == list(range(100 * chosen, 100 * chosen + 10))


def test_a_stream_that_begins_on_the_way_does_no_harm(tmp_path):
    """In flv, as in a broadcast, the header does not announce it."""
    path = encode(tmp_path / "video.flv", [numbered(i) for i in range(60)], clock=RATE)
    tag = bytes([8, 0, 0, 2, *bytes(7), 0x2E, 0, 0, 0, 0, 13])  # two bytes of sound
    path.write_bytes(path.read_bytes() + tag)
    with pytest.raises(IndexError), av.open(path) as container:  # PyAV's; when this is gone, `_packets` is too
        list(container.demux(video=0))
    assert numbers(read_frames(path, RATE, 48)) == list(range(60))


def test_a_pixel_is_the_mean_of_what_it_covers(tmp_path):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[24:32, 40:48] = np.tile([[[240, 80, 160], [80, 160, 0]]], (8, 4, 1))  # one pixel in the end
    path = encode(tmp_path / "fine.mkv", [picture] * 5, clock=RATE, codec="ffv1", pixels="gbrp16le")
    (frame, *_) = read_frames(path, RATE, 8)
    expected = np.zeros((8, 8, 3))
    expected[3, 5] = [160, 120, 80]
    np.testing.assert_allclose(frame, expected, atol=3)  # swscale's rounding


class UnknownData:
    """A frame with side data of a type unknown to PyAV, which provides only its angle."""

    def __init__(self, rotation):
        self.rotation = rotation

    @property
    def side_data(self):
        raise ValueError("31 is not a valid Type")


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_picture_with_unknown_side_data_is_turned(rotation):
    picture = np.arange(12).reshape(2, 2, 3)
    turned = video_lib._upright(picture, video_lib._orientation(UnknownData(rotation)))
    np.testing.assert_array_equal(turned, np.rot90(picture, rotation // 90))


def test_a_single_picture_is_shown_for_as_long_as_it_lasts(tmp_path):
    path = encode(tmp_path / "one.mkv", [gray(3), gray(3)], times=[0, 5000])
    assert shown(read_frames(path, RATE, 16)) == [3] * 51
    path = encode(tmp_path / "still.mp4", [gray(3)], clock=1, rate=1, codec="mpeg4")
    assert shown(read_frames(path, RATE, 16)) == [3] * 10


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_picture_is_too_short(tmp_path, form):
    Image.fromarray(gray(3)).save(tmp_path / "picture.mp4", form)
    check_fault(tmp_path / "picture.mp4", r"too short: 0\.\d\d s, a clip needs 1\.00 s")


def check_fault(path, reason):
    with pytest.raises(VideoError, match=reason) as caught:
        list(read_clips(path, RATE, 10, 16))
    assert caught.value.path == path
    assert "Error" not in caught.value.reason


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "random.mp4").write_bytes(np.random.default_rng(0).bytes(10_000))
    (tmp_path / "zeros.mp4").write_bytes(bytes(10_000))
    (tmp_path / "page.mp4").write_text("<!DOCTYPE html><html>Video unavailable</html>")
    for name in ("random", "zeros", "page"):
        check_fault(tmp_path / f"{name}.mp4", "not decodable: Invalid data")
    (tmp_path / "folder.mp4").mkdir()
    check_fault(tmp_path / "folder.mp4", "it is a folder")


def test_a_header_alone_is_refused(tmp_path):
    path = encode(
        tmp_path / "header.mp4", [gray(i) for i in range(20)], muxing={"movflags": "frag_keyframe+empty_moov"}
    )
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moof") - 4])
    check_fault(path, "no frames")


def test_an_unknown_kind_of_video_is_refused(tmp_path):
    path = encode(tmp_path / "future.mp4", [gray(i) for i in range(10)])
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    check_fault(path, "unknown video codec")


@pytest.fixture(scope="module")
def noise():
    return list(np.random.default_rng(0).integers(0, 256, (60, 48, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "codec", "muxing", "reason"),
    [
        ("half.mp4", "libx264", {}, "not decodable: Invalid data"),  # without its index
        ("half.mp4", "libx264", {"movflags": "faststart"}, r"truncated: 2\.\d s of 6\.0 s can be decoded"),
        ("half.mkv", "libx264", {}, r"truncated: 2\.\d s of 6\.0 s can be decoded"),
        ("half.webm", "libvpx-vp9", {}, r"truncated: \d\.\d s of 6\.0 s can be decoded"),
        ("half.avi", "mpeg4", {}, r"truncated: 2\.\d s of 6\.0 s can be decoded"),
    ],
)
def test_a_truncated_file_is_refused(tmp_path, noise, name, codec, muxing, reason):
    path = encode(tmp_path / name, noise, clock=RATE, codec=codec, muxing=muxing)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    check_fault(path, reason)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_may_outlast_the_picture(tmp_path, suffix):
    path = encode(tmp_path / f"long.{suffix}", [gray(i) for i in range(20)], sound_seconds=30)
    assert len(list(read_clips(path, RATE, 10, 16))) == 2


def flawed(path, damaged):
    """60 pictures, each a PNG file in a packet, some of them destroyed."""
    encode(path, [numbered(i) for i in range(60)], codec="png", pixels="rgb24")
    parts = path.read_bytes().split(b"\x89PNG")
    for number in damaged:
        parts[number + 1] = bytes(30) + parts[number + 1][30:]
    path.write_bytes(b"\x89PNG".join(parts))
    return path


def test_a_few_packets_may_be_damaged(tmp_path):
    path = flawed(tmp_path / "video.mov", [20, 40])
    assert numbers(read_frames(path, RATE, 48)) == [*range(20), 19, *range(21, 40), 39, *range(41, 60)]


def test_many_damaged_packets_are_too_many(tmp_path):
    check_fault(
        flawed(tmp_path / "video.mov", [20, 30, 40, 50]), "damaged: 4 of 61 packets do not decode: Invalid data"
    )


def test_absurd_sizes_are_refused(tmp_path, monkeypatch):
    """Before memory is allocated, and also if the size grows midway."""
    monkeypatch.setattr(video_lib, "MAX_PIXELS", 64 * 48)
    small, large = [
        encode(tmp_path / f"{side}.h264", [gray(i, side, 64) for i in range(10)], clock=RATE, form="h264")
        for side in (48, 64)
    ]
    assert len(list(read_frames(small, RATE, 16))) == 10
    check_fault(large, "pictures of 64 x 64; expected at most 3,072 pixels")
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    check_fault(both, "damaged: 9 of 21 packets do not decode: Invalid")


@pytest.mark.slow
def test_ten_hours_take_no_more_memory_than_a_minute(tmp_path):
    """One picture a second, sampled at 20 frames a second; a process each, as peak memory never decreases."""
    program = (
        "import pathlib, resource, sys\n"
        "from videobert_jax.video.frames import read_clips\n"
        "clips = sum(1 for _ in read_clips(pathlib.Path(sys.argv[1]), 20, 30, 32, threads=1))\n"
        "print(clips, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    taken = []
    for seconds in (60, 36_000):
        path = long_film(tmp_path / f"{seconds}.mp4", seconds)
        clips, kilobytes = subprocess.check_output([sys.executable, "-c", program, path], cwd=ROOT).split()
        assert int(clips) == seconds * 20 // 30
        taken.append(int(kilobytes))
    assert taken[1] - taken[0] < 20_000  # half of it the index of the file; the frames would take 2 GB


def long_film(path, seconds):
    """Repeats one packet."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        (packet,) = stream.encode(av.VideoFrame.from_ndarray(gray(5, 16, 16)))
        content = bytes(packet)
        for second in range(seconds):
            packet = av.Packet(content)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1), True
            packet.pts = packet.dts = second
            packet.duration = 1
            container.mux(packet)
    return path
