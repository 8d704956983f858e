"""Video files to clips of frames on an exact time grid, streaming, with PyAV."""

import itertools
import math
import pathlib
from collections.abc import Iterator

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

TICK = 0.001  # seconds; the coarsest clock in use (Matroska's), so times are only known to this
MAX_HOLD = 600.0  # seconds; a frame on show for longer means a damaged clock
# A file whose frames end earlier than its header says by more than this is truncated.
TRUNCATION_SECONDS = 1.0
TRUNCATION_SHARE = 0.05


class VideoError(Exception):
    """A video file that cannot be used: `path`, and a `reason` for people."""

    def __init__(self, path: pathlib.Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


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
    scaler = VideoReformatter()  # one for all frames: to build it costs as much as to use it
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise VideoError(path, "no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.thread_count = threads
            for (begin, frame), (end, _) in itertools.pairwise(_moments(container, stream, path)):
                repeats = _instants_before(end, fps) - _instants_before(begin, fps)
                if frame is not None and repeats:
                    small = scaler.reformat(
                        frame, image_size, image_size, "rgb24", interpolation=Interpolation.AREA, threads=threads
                    )
                    yield from itertools.repeat(np.rot90(small.to_ndarray(), frame.rotation // 90), repeats)
    except av.error.FFmpegError as error:
        raise VideoError(path, f"not decodable: {error.strerror}") from error


def _instants_before(seconds: float, fps: float) -> int:
    return max(0, math.ceil((seconds - TICK) * fps))


def _moments(
    container: av.container.InputContainer, stream: av.VideoStream, path: pathlib.Path
) -> Iterator[tuple[float, av.VideoFrame | None]]:
    """When each frame begins, in seconds after the first, and last when the last one ends, without a frame."""
    first = last = None
    for frame in container.decode(stream):
        time = frame.time
        if first is None or last is None:
            first = last = time
        elif time <= last:
            continue  # damaged: time does not run backwards
        elif time - last > MAX_HOLD:
            raise VideoError(path, f"the clock jumps from {last - first:.1f} s to {time - first:.1f} s")
        last, duration = time, frame.duration * float(frame.time_base or 0)
        yield time - first, frame
    if first is None or last is None:
        raise VideoError(path, "no frames")
    end = last + (duration or 1 / float(stream.average_rate or math.inf))
    promised = _promised_end(container, stream)
    if end < promised * (1 - TRUNCATION_SHARE) - TRUNCATION_SECONDS:
        raise VideoError(path, f"truncated: {end:.1f} s of {promised:.1f} s can be decoded")
    yield end - first, None


def _promised_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """When the file's header says that the video ends, in seconds; 0 if it does not say.

    FFmpeg ends a truncated file without an error, so this is how to notice. The duration of the file includes its
    sound, that of the stream what an editor has cut away: the less counts.
    """
    durations = [
        (stream.duration or 0) * float(stream.time_base or 0),
        (container.duration or 0) / av.time_base,
    ]
    return min(filter(None, durations), default=0.0)
