"""Precomputed features, `<video id>.npy` or `<video id>.npz`, read in place of videos.

The array (in an .npz, the one named `features` or the only one) is float16, float32 or float64 [rows, size]. Row i
covers the seconds ``[i / fps, (i + 1) / fps)`` of the video: for one vector per second, `prepare.fps` is 1. All files
of a corpus must have the most common row size (`common_size`); the others are rejected. Nothing is unpickled.
"""

import collections
import contextlib
import pathlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np

BACKBONE = "precomputed"  # its name in the registry of backbones
SUFFIXES = (".npy", ".npz")
KEY = "features"
DTYPES = ("float16", "float32", "float64")
LARGEST = float(np.finfo(np.float16).max)  # prepared features are float16
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# Errors that zipfile, zlib and the header parser raise for broken content, besides ValueError.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, LookupError, TypeError, SyntaxError, tokenize.TokenError),
    *(OverflowError, RuntimeError),
)


class Shape(NamedTuple):
    """The shape of a feature file."""

    rows: int
    size: int


def shape(path: pathlib.Path) -> Shape:
    """Reads the shape from the header.

    Raises:
      ValueError: the header shows that the file cannot be used; the message says why.
      OSError: the file cannot be read.
    """
    with _opened(path) as (file, length):
        return _header(file, length)


def read_clips(path: pathlib.Path, clip_frames: int, step: int = 0) -> np.ndarray:
    """Reads the rows as float32 [clips, clip_frames, size]; drops an incomplete last clip.

    A clip begins `step` rows after the one before, by default after its end.

    Raises:
      ValueError: the file cannot be used; the message says why.
      OSError: the file cannot be read.
    """
    with _opened(path) as (file, length):
        rows, _ = _header(file, length)
        if rows < clip_frames:
            raise ValueError(f"too short: {rows} rows, a clip needs {clip_frames}")
        file.seek(0)
        values = np.lib.format.read_array(file, allow_pickle=False)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise ValueError(f"row {finite.argmin()} holds NaN or infinity")
    if (most := float(np.abs(values).max())) > LARGEST:
        raise ValueError(f"holds a value of {most:g}, expected at most {LARGEST:g} (float16); rescale all files")
    windows = np.lib.stride_tricks.sliding_window_view(values, clip_frames, axis=0)[:: step or clip_frames]
    return np.moveaxis(windows, 2, 1).astype(np.float32)


def common_size(sizes: Sequence[int]) -> int | None:
    """Returns the most common of `sizes`, the first in a tie; None if there are none."""
    return max(collections.Counter(sizes).items(), key=lambda item: item[1], default=(None, 0))[0]


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[tuple[IO[bytes], int]]:
    """Opens the array as an .npy stream; yields the stream and its length in bytes."""
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                yield file, path.stat().st_size
            return
        with zipfile.ZipFile(path) as archive:
            member = _member(archive)
            with archive.open(member) as file:
                yield file, member.file_size
    except BROKEN as error:
        raise ValueError(f"broken: {error or type(error).__name__}") from error


def _member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    arrays = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if KEY not in arrays and len(arrays) != 1:
        raise ValueError(f"{len(arrays)} arrays ({', '.join(sorted(arrays))}), expected one, or one named {KEY!r}")
    return arrays.get(KEY) or next(iter(arrays.values()))


def _header(file: IO[bytes], length: int) -> Shape:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the .npy format, expected (1, 0) or (2, 0)")
    try:
        sizes, _, dtype = HEADERS[version](file)
    except MemoryError as error:  # raised by the parser for a corrupt header
        raise ValueError("broken: its header is corrupt") from error
    if dtype.hasobject:
        raise ValueError(f"holds Python objects, expected {' or '.join(DTYPES)}")
    if dtype.name not in DTYPES:
        raise ValueError(f"dtype {dtype}, expected {' or '.join(DTYPES)}")
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(f"an array {list(sizes)}, expected [rows, size]")
    rows, size = sizes
    if (there := length - file.tell()) < (expected := rows * size * dtype.itemsize):
        raise ValueError(f"truncated: {there} bytes of {expected}")
    return Shape(rows, size)
