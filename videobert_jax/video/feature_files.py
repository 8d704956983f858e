"""Features that somebody has computed already, `<video id>.npy` or `<video id>.npz`, read in place of videos.

The array, of an .npz the one named `features` or the only one, is float16, float32 or float64 [rows, size]. Row i is
about the seconds ``[i / fps, (i + 1) / fps)`` of the video: for one vector per second `prepare.fps` is 1. All files of
a corpus have rows of one size, that which most of them have, of equally many that of the first by id; the others are
refused. Nothing is unpickled.
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
# What broken content makes zipfile, zlib and the parser of headers raise, besides ValueError.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, LookupError, TypeError, SyntaxError, tokenize.TokenError),
    *(OverflowError, RuntimeError),
)


class Shape(NamedTuple):
    """Of a file of features."""

    rows: int
    size: int


def shape(path: pathlib.Path) -> Shape:
    """What the header says; reads no more than that.

    Raises:
      ValueError: saying why the file cannot be used, if that shows already.
      OSError: if it cannot be read.
    """
    with _opened(path) as (file, length):
        return _header(file, length)


def read_clips(path: pathlib.Path, clip_frames: int) -> np.ndarray:
    """The rows as float32 [clips, clip_frames, size]; a last clip that is not full is dropped.

    Raises:
      ValueError: saying why the file cannot be used.
      OSError: if it cannot be read.
    """
    with _opened(path) as (file, length):
        rows, size = _header(file, length)
        if rows < clip_frames:
            raise ValueError(f"too short: {rows} rows, and a clip takes {clip_frames}")
        file.seek(0)
        values = np.lib.format.read_array(file, allow_pickle=False)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise ValueError(f"row {finite.argmin()} holds NaN or infinity")
    if (most := float(np.abs(values).max())) > LARGEST:
        raise ValueError(f"holds a value of {most:g}, expected at most {LARGEST:g}, as float16 has it: scale all files")
    clips = rows // clip_frames
    return values[: clips * clip_frames].reshape(clips, clip_frames, size).astype(np.float32)


def common_size(sizes: Sequence[int]) -> int | None:
    """The size of a row that most files have, of equally many the first; None of no files."""
    return max(collections.Counter(sizes).items(), key=lambda item: item[1], default=(None, 0))[0]


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[tuple[IO[bytes], int]]:
    """The array of a file as an .npy file, and its length in bytes."""
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
    except MemoryError as error:  # of the parser, at nonsense
        raise ValueError("broken: its header is nonsense") from error
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
