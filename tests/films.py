"""Video files generated for tests: each picture encodes its index."""

import pathlib
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np

RATE = 10
STEP = 20  # of brightness from picture to picture
BITS = 12  # of a numbered picture


def gray(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture whose brightness encodes its index modulo 10."""
    return np.full((height, width, 3), 20 + STEP * (index % 10), np.uint8)


def shown(frames: Iterable[np.ndarray]) -> list[int]:
    """The index of each `gray` picture."""
    return [round((float(frame.mean()) - 20) / STEP) for frame in frames]


def numbered(index: int) -> np.ndarray:
    """A picture of black and white squares, the binary digits of `index`."""
    digits = (index >> np.arange(BITS)) & 1
    return np.kron(digits.reshape(3, 4)[..., None] * 255, np.ones((16, 16, 3))).astype(np.uint8)


def numbers(frames: Iterable[np.ndarray]) -> list[int]:
    """The index of each `numbered` picture, of any size."""
    found = []
    for frame in frames:
        side = len(frame)
        middles = [
            frame[side * (2 * row + 1) // 6, side * (2 * column + 1) // 8] for row in range(3) for column in range(4)
        ]
        found.append(sum(int(middle.mean() > 128) << bit for bit, middle in enumerate(middles)))
    return found


def encode(
    path: pathlib.Path,
    pictures: Sequence[np.ndarray],
    times: Sequence[int] | None = None,
    clock: int | Fraction = 1000,
    codec: str = "libx264",
    form: str | None = None,
    pixels: str = "yuv420p",
    rate: int | Fraction = RATE,
    rotation: int = 0,
    mirrored: bool = False,
    sound_seconds: int = 0,
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
) -> pathlib.Path:
    """Writes pictures shown at `times`, in ticks of 1/clock s; by default one every 1/rate s."""
    with av.open(path, "w", format=form, options=muxing or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = 1 / Fraction(clock)
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        sound = container.add_stream("aac", rate=8000) if sound_seconds else None
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = times[index] if times else int(index * clock / rate)
            frame.time_base = 1 / Fraction(clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            mux_silence(container, sound, sound_seconds)
    return path


def mux_silence(container: av.container.OutputContainer, stream: av.AudioStream, seconds: int) -> None:
    for _ in range(seconds):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    container.mux(stream.encode())
