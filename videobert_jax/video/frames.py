"""Video files to clips of frames on an exact time grid, streaming, with PyAV.

A damaged file is mended where the picture on show at an instant remains known, and refused where it does not:

- A packet that does not decode is left out, and so is a picture that is not later than the one before it; that one
  stays on show. A picture without a time follows the one before it. If pictures are stored in another order than
  they are shown in, but their times do not tell, as in AVI, the times of decoding count.
- Refused are files of which more than `DAMAGED_SHARE` is left out, which end before their header says, whose clock
  jumps by more than `MAX_HOLD`, and pictures of more than `MAX_PIXELS`.

Turned and mirrored pictures are shown as the file says. Neither the aspect ratio nor transparency is kept, and
interlaced pictures are read as they are. A cover picture is no video.
"""

import contextlib
import itertools
import math
import pathlib
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter

from videobert_jax.errors import VideoError

TICK = Fraction(1, 1000)  # seconds; the coarsest clock in use (Matroska's), so times are only known to this
MAX_HOLD = 600  # seconds; a frame on show for longer means a damaged clock
MAX_LATE_HOLD = 10  # the same, after the end that the header states
REORDERED = 32  # packets, of which some are out of order if any are; twice the most that codecs allow
MAX_PIXELS = 8192 * 4320  # of a picture; more means a damaged header, and memory for it is not there
DAMAGED_SHARE = 0.05  # of the packets or of the pictures; a file may lose this much
# What a header says about the length may be wrong by this; a file whose frames end earlier is truncated.
LENGTH_SHARE = 0.05
LENGTH_SECONDS = 1.0

Orientation = tuple[float, float, float, float]  # a, b, c, d of `_orientation`


def read_clips(
    path: pathlib.Path, fps: float, clip_frames: int, image_size: int, threads: int = 0
) -> Iterator[np.ndarray]:
    """Cuts a video into consecutive clips; a last clip that is not full is dropped.

    Clip i begins ``i * clip_frames / fps`` seconds after the first frame. One clip is in memory at a time.

    Args:
      path: any file that FFmpeg decodes.
      fps: frames per second of the clips, whatever the rate of the file.
      clip_frames: frames per clip.
      image_size: height and width of the frames in pixels; the aspect ratio is not kept.
      threads: decoding threads; 0 for as many as FFmpeg likes.

    Yields:
      uint8 RGB [clip_frames, image_size, image_size, 3].

    Raises:
      VideoError: if the file is unreadable, corrupt, truncated, without video or shorter than one clip. The clips
        before a fault have been yielded by then.
    """
    frames = read_frames(path, fps, image_size, threads)
    clip = list(itertools.islice(frames, clip_frames))
    if len(clip) < clip_frames:
        raise VideoError(path, f"too short: {len(clip) / fps:.2f} s, and a clip takes {clip_frames / fps:.2f} s")
    while len(clip) == clip_frames:
        yield np.stack(clip)
        clip = list(itertools.islice(frames, clip_frames))


def read_frames(path: pathlib.Path, fps: float, image_size: int, threads: int = 0) -> Iterator[np.ndarray]:
    """Samples a video at the instants 0, 1/fps, 2/fps, ... after its first frame; see `read_clips`.

    Each instant shows the latest frame that has begun by then, so a variable frame rate keeps its timing.

    Yields:
      uint8 RGB [image_size, image_size, 3]; instants that show the same frame yield the same array.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(path, "the file is empty")
    rate = Fraction(fps)
    scaler = VideoReformatter()  # one for all frames: to build it costs as much as to use it
    area = Interpolation.AREA
    try:
        with _opened(path) as container:
            stream = _film(container, path)
            stream.thread_type = "AUTO"
            stream.thread_count = threads
            orientation = None
            for (begin, frame), (end, _) in itertools.pairwise(_moments(container, stream, path)):
                repeats = _instants_before(end, rate) - _instants_before(begin, rate)
                if frame is not None and repeats:
                    orientation = orientation or _orientation(frame)
                    small = scaler.reformat(frame, image_size, image_size, "rgb24", interpolation=area, threads=threads)
                    yield from itertools.repeat(_upright(small.to_ndarray(), orientation), repeats)
    except av.error.FFmpegError as error:
        raise VideoError(path, f"not decodable: {error.strerror}") from error


def stated_length(path: pathlib.Path) -> Fraction | None:
    """The seconds that the header says a video lasts; None if it does not say, or if the file cannot be read."""
    with contextlib.suppress(av.error.FFmpegError, VideoError), _opened(path) as container:
        return min(_promised_lengths(container, _film(container, path)), default=None)
    return None


def _opened(path: pathlib.Path) -> av.container.InputContainer:
    """Named as a file, so that a name with a colon is no address; titles may be in any encoding."""
    return av.open(f"file:{path}", metadata_errors="replace")


def _film(container: av.container.InputContainer, path: pathlib.Path) -> av.VideoStream:
    """The stream to read: the first that is marked as the default one, or else the first."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError(path, "no video stream")
    stream = max(streams, key=lambda stream: bool(stream.disposition & Disposition.default))
    if stream.codec_context is None:
        raise VideoError(path, "its kind of video is unknown")
    if stream.width * stream.height > MAX_PIXELS:
        raise VideoError(path, f"pictures of {stream.width} x {stream.height}; expected at most {MAX_PIXELS:,} pixels")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # the size may change on the way
    return stream


def _instants_before(seconds: Fraction, rate: Fraction) -> int:
    return math.ceil((seconds - TICK) * rate)


def _orientation(frame: av.VideoFrame) -> Orientation:
    """How the file wants its pictures turned and mirrored: the pixel at (x, y) is shown at (ax + cy, bx + dy).

    One frame tells for all: PyAV keeps each that is asked in memory until the next collection of garbage.
    """
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # among what comes with the frame is something that PyAV does not know
        angle = math.radians(frame.rotation)
        return math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return a, b, c, d


def _upright(picture: np.ndarray, orientation: Orientation) -> np.ndarray:
    """[S, S, 3] turned by quarters and mirrored."""
    a, b, c, d = orientation
    if abs(b) > abs(a):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _moments(
    container: av.container.InputContainer, stream: av.VideoStream, path: pathlib.Path
) -> Iterator[tuple[Fraction, av.VideoFrame | None]]:
    """When each frame begins, in seconds after the first, and last when the last one ends, without a frame."""
    promised = _promised_lengths(container, stream)
    latest = max(promised) * (1 + LENGTH_SHARE) + LENGTH_SECONDS if promised else math.inf
    first = last = None
    frames = disordered = 0
    for time, frame in _timed(container, stream, path):
        frames += 1
        if first is None or last is None:
            first = last = time
        elif time <= last and frame is not None:
            disordered += 1
            continue
        elif time - last > (MAX_HOLD if time - first <= latest else MAX_LATE_HOLD):
            raise VideoError(path, f"the clock jumps from {_shown(last - first)} to {_shown(time - first)}")
        last = time
        yield time - first, frame
    if last is None:
        raise VideoError(path, "no frames")
    if disordered > frames * DAMAGED_SHARE:
        raise VideoError(path, f"the clock runs backwards: {disordered} of {frames} pictures are too early")
    if promised and last < min(promised) * (1 - LENGTH_SHARE) - LENGTH_SECONDS:
        raise VideoError(path, f"truncated: {_shown(last)} of {_shown(min(promised))} can be decoded")


def _shown(seconds: Fraction) -> str:
    return f"{float(seconds):.1f} s"


def _timed(
    container: av.container.InputContainer, stream: av.VideoStream, path: pathlib.Path
) -> Iterator[tuple[Fraction, av.VideoFrame | None]]:
    """Each frame and when it begins by the clock of the file, in seconds; last when all have ended, without a frame."""
    unit = stream.time_base or Fraction(0)
    packets = _packets(container, stream)
    head = list(itertools.islice(packets, REORDERED))
    stamps = [packet.pts for packet in head if packet.pts is not None]
    by_decoding = stream.codec_context.has_b_frames and stamps == sorted(stamps)
    end = (stream.start_time or 0) * unit
    begin: Fraction | None = None
    for frame in _decoded(itertools.chain(head, packets), path):
        begin = end
        if by_decoding and frame.dts is not None:
            begin = frame.dts * unit
        elif frame.pts is not None:  # by decoding, of the last pictures, which no packet brings out
            begin = max(end, frame.pts * unit) if by_decoding else frame.pts * unit
        yield begin, frame
        end = max(end, begin + frame.duration * unit)
    if begin is not None:
        yield end, None


def _decoded(packets: Iterable[av.Packet], path: pathlib.Path) -> Iterator[av.VideoFrame]:
    """All that can be decoded; a file with too much that cannot is refused, at its end."""
    count = damaged = 0
    reason = ""
    for packet in packets:
        count += 1
        try:
            frames: Any = packet.decode()
        except av.error.FFmpegError as error:
            damaged, reason = damaged + 1, str(error.strerror)
            continue
        yield from frames
    if damaged > count * DAMAGED_SHARE:
        raise VideoError(path, f"damaged: {damaged} of {count} packets do not decode: {reason}")


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """All of a stream, the last one empty, which makes the decoder give what it has left."""
    with contextlib.suppress(IndexError):  # PyAV, after the last if another stream has begun on the way
        yield from container.demux(stream)


def _promised_lengths(container: av.container.InputContainer, stream: av.VideoStream) -> list[Fraction]:
    """How long the header says that the video is, in seconds, as far as it says so.

    FFmpeg ends a truncated file without an error, so this is how to notice. The duration of the file includes its
    sound, that of the stream what an editor has cut away: the least counts. Matroska tells the stream's in a tag; that
    of an AVI file FFmpeg corrects by its size, but not the number of pictures.
    """
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return [stream.frames / stream.average_rate]
    lengths = [
        (stream.duration or 0) * (stream.time_base or Fraction(0)),
        Fraction(container.duration or 0, av.time_base),
    ]
    if tag := re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d\.\d{1,9})", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(Fraction, tag.groups())
        lengths.append((hours * 60 + minutes) * 60 + seconds)
    return [length for length in lengths if length > 0]
