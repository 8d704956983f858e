"""Video files to clips of frames on an exact time grid, streaming, with PyAV.

Damage is repaired as long as the picture shown at each instant is known; other files are rejected:

- A packet that does not decode is skipped, and so is a picture that is not later than the previous one, which stays on
  show. A picture without a time follows the previous one. If pictures are stored in decoding order but their
  presentation times do not show it, as in AVI, decoding times are used.
- Rejected are files that lose more than `DAMAGED_SHARE`, that end before the length in their header, whose clock jumps
  by more than `MAX_HOLD`, or whose pictures exceed `MAX_PIXELS`.

Rotation and mirroring metadata are applied. The aspect ratio and transparency are dropped; interlaced pictures are not
deinterlaced. Cover pictures are ignored.
"""

import contextlib
import itertools
import math
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter

from videobert_jax.errors import VideoError
from videobert_jax.video.crops import WHOLE, Region

TICK = Fraction(1, 1000)  # seconds; the coarsest clock in use (Matroska's), so the precision of all times
MAX_HOLD = 600  # seconds; a frame on show for longer means a damaged clock
MAX_LATE_HOLD = 10  # the same, after the end that the header states
REORDERED = 32  # the first packets, which show whether the stream is reordered; twice the most that codecs allow
MAX_PIXELS = 8192 * 4320  # per picture; more means a damaged header and would exhaust memory
DAMAGED_SHARE = 0.05  # of the packets or pictures that a file may lose
# Tolerance of the length stated in the header; a file whose frames end earlier is truncated.
LENGTH_SHARE = 0.05
LENGTH_SECONDS = 1.0

Orientation = tuple[float, float, float, float]  # a, b, c, d of `_orientation`
Alter = Callable[[np.ndarray], np.ndarray]  # a picture to another of the same size


def read_clips(
    path: pathlib.Path,
    fps: float,
    clip_frames: int,
    image_size: int,
    threads: int = 0,
    step: int = 0,
    region: Region = WHOLE,
    alter: Alter | None = None,
) -> Iterator[np.ndarray]:
    """Cuts a video into clips; drops an incomplete last clip.

    Clip i begins ``i * step / fps`` seconds after the first frame. One clip is in memory at a time.

    Args:
      path: any file that FFmpeg decodes.
      fps: frames per second of the clips, at any rate of the file.
      clip_frames: frames per clip.
      image_size: height and width of the frames in pixels; the aspect ratio is not kept.
      threads: decoding threads; 0: FFmpeg decides.
      step: frames from the start of a clip to that of the next, 0: `clip_frames`; clips overlap if it is less.
      region: the part of each frame that is seen.
      alter: what is done to each picture, uint8 RGB [image_size, image_size, 3], that a file shows.

    Yields:
      uint8 RGB [clip_frames, image_size, image_size, 3].

    Raises:
      VideoError: the file is unreadable, corrupt, truncated, without video or shorter than one clip. The clips before
        the fault have been yielded by then.
    """
    frames, step = read_frames(path, fps, image_size, threads, region, alter), step or clip_frames
    clip = list(itertools.islice(frames, clip_frames))
    if len(clip) < clip_frames:
        raise VideoError(path, f"too short: {len(clip) / fps:.2f} s, a clip needs {clip_frames / fps:.2f} s")
    while len(clip) == clip_frames:
        yield np.stack(clip)
        next(itertools.islice(frames, max(step - clip_frames, 0), 0), None)  # those between two clips
        clip = clip[step:] + list(itertools.islice(frames, min(step, clip_frames)))


def read_frames(
    path: pathlib.Path,
    fps: float,
    image_size: int,
    threads: int = 0,
    region: Region = WHOLE,
    alter: Alter | None = None,
) -> Iterator[np.ndarray]:
    """Samples a video at the instants 0, 1/fps, 2/fps, ... after its first frame; see `read_clips`.

    Each instant shows the latest frame that has begun by then, so a variable frame rate keeps its timing.

    Yields:
      uint8 RGB [image_size, image_size, 3]; instants that show the same frame yield the same array.
    """
    if path.is_dir():
        raise VideoError(path, "it is a folder")
    if not path.exists():
        raise VideoError(path, "there is no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(path, "the file is empty")
    rate = Fraction(fps)
    scaler = VideoReformatter()  # shared by all frames: building one costs as much as using it
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
                    size = _scaled(image_size, region, orientation)
                    small = scaler.reformat(frame, *size, "rgb24", interpolation=area, threads=threads)
                    picture = _part(_upright(small.to_ndarray(), orientation), region, image_size)
                    yield from itertools.repeat(alter(picture) if alter else picture, repeats)
    except av.error.FFmpegError as error:
        raise VideoError(path, f"not decodable: {error.strerror}") from error


def stated_length(path: pathlib.Path) -> Fraction | None:
    """The length in seconds according to the header; None if it is not stated or the file cannot be read."""
    with contextlib.suppress(av.error.FFmpegError, VideoError), _opened(path) as container:
        return min(_promised_lengths(container, _film(container, path)), default=None)
    return None


def _opened(path: pathlib.Path) -> av.container.InputContainer:
    """Opens with the `file:` prefix, so that a name with a colon is not a URL; metadata may be in any encoding."""
    return av.open(f"file:{path}", metadata_errors="replace")


def _film(container: av.container.InputContainer, path: pathlib.Path) -> av.VideoStream:
    """The stream to read: the first one marked as default, else the first."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError(path, "no video stream")
    stream = max(streams, key=lambda stream: bool(stream.disposition & Disposition.default))
    if stream.codec_context is None:
        raise VideoError(path, "unknown video codec")
    if stream.width * stream.height > MAX_PIXELS:
        raise VideoError(path, f"pictures of {stream.width} x {stream.height}; expected at most {MAX_PIXELS:,} pixels")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # the size may change on the way
    return stream


def _instants_before(seconds: Fraction, rate: Fraction) -> int:
    return math.ceil((seconds - TICK) * rate)


def _orientation(frame: av.VideoFrame) -> Orientation:
    """The rotation and mirroring in the file: the pixel at (x, y) is shown at (ax + cy, bx + dy).

    Call it for one frame only: PyAV keeps every frame asked for its metadata in memory until the next garbage
    collection.
    """
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # the frame has side data of a type unknown to PyAV
        angle = math.radians(frame.rotation)
        return math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return a, b, c, d


def _scaled(image_size: int, region: Region, orientation: Orientation) -> tuple[int, int]:
    """The width and height of the stored picture at which the region's sides have `image_size` pixels."""
    left, top, right, bottom = region
    width, height = round(image_size / (right - left)), round(image_size / (bottom - top))
    return (height, width) if _turned(orientation) else (width, height)


def _part(picture: np.ndarray, region: Region, image_size: int) -> np.ndarray:
    """The region of an upright picture [H, W, 3]: [image_size, image_size, 3]."""
    rows, columns = (
        min(round(start * side), side - image_size)
        for start, side in zip((region[1], region[0]), picture.shape[:2], strict=True)
    )
    return picture[rows : rows + image_size, columns : columns + image_size]


def _turned(orientation: Orientation) -> bool:
    return abs(orientation[1]) > abs(orientation[0])


def _upright(picture: np.ndarray, orientation: Orientation) -> np.ndarray:
    """Rotates [H, W, 3] by quarter turns and mirrors it."""
    a, b, c, d = orientation
    if _turned(orientation):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _moments(
    container: av.container.InputContainer, stream: av.VideoStream, path: pathlib.Path
) -> Iterator[tuple[Fraction, av.VideoFrame | None]]:
    """Yields each frame with its start in seconds after the first; finally the end of the last one, with None."""
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
    """Yields each frame with its start in seconds by the file's clock; finally the end of the last one, with None."""
    unit = stream.time_base or Fraction(0)
    packets = _packets(container, stream)
    head = list(itertools.islice(packets, REORDERED))
    stamps = [packet.pts for packet in head if packet.pts is not None]
    guessed = container.format.name == "avi"  # which has no presentation times; FFmpeg's guesses may be wrong
    by_decoding = stream.codec_context.has_b_frames and (guessed or stamps == sorted(stamps))
    end = (stream.start_time or 0) * unit
    begin: Fraction | None = None
    for frame in _decoded(itertools.chain(head, packets), path):
        begin = end
        if by_decoding and frame.dts is not None:
            begin = frame.dts * unit
        elif frame.pts is not None:  # if by decoding: the last pictures, flushed without a packet
            begin = max(end, frame.pts * unit) if by_decoding else frame.pts * unit
        yield begin, frame
        end = max(end, begin + frame.duration * unit)
    if begin is not None:
        yield end, None


def _decoded(packets: Iterable[av.Packet], path: pathlib.Path) -> Iterator[av.VideoFrame]:
    """Yields all frames that decode; at the end raises VideoError if too many packets did not."""
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
    """Yields all packets of a stream, finally an empty one that flushes the decoder."""
    with contextlib.suppress(IndexError):  # raised by PyAV after the last packet if a stream has begun midway
        yield from container.demux(stream)


def _promised_lengths(container: av.container.InputContainer, stream: av.VideoStream) -> list[Fraction]:
    """The lengths in seconds that the header states, if any.

    FFmpeg ends a truncated file without an error, so this is how to notice. The duration of the file includes the
    sound, that of the stream includes what an editor has cut: the least counts. Matroska states the stream's in a tag.
    For AVI, FFmpeg corrects the duration by the size of the file, but not the number of pictures.
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
