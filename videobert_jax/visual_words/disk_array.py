"""Rows of numbers on disk, for points that do not fit into memory."""

import itertools
import os
import pathlib
from collections.abc import Iterable

import numpy as np


class RowFile:
    """Float32 [n, P] in a file without a header; rows are read on demand.

    Uses plain reads, not a memory map, whose pages count as memory of the process while it is open.
    """

    def __init__(self, path: pathlib.Path, width: int) -> None:
        """Opens `path`, whose rows have `width` numbers. Raises ValueError unless it holds whole rows."""
        self._file = path.open("rb", buffering=0)
        rows, rest = divmod(path.stat().st_size, 4 * width)
        if rest:
            raise ValueError(f"{path} has {rest} bytes more than {rows} rows of {width} float32 numbers")
        self.shape: tuple[int, int] = (rows, width)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Int `rows` [m] in [0, n) to float32 [m, P]; adjacent rows are read at once."""
        found = np.empty((len(rows), self.shape[1]), np.float32)
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        for start, end in itertools.pairwise([*starts.tolist(), len(rows)]):
            self._read(found[start:end], int(rows[start]))
        return found

    def _read(self, into: np.ndarray, row: int) -> None:
        left, offset = into.data.cast("B"), 4 * self.shape[1] * row
        while left:
            count = os.preadv(self._file.fileno(), [left], offset)
            if not count:
                raise EOFError(f"{self._file.name} was truncated: it has no row {row} of {self.shape[0]}")
            left, offset = left[count:], offset + count


def write_rows(path: pathlib.Path, blocks: Iterable[np.ndarray], width: int) -> RowFile:
    """Writes `blocks`, each float [m, width], consecutively as float32, and opens the file."""
    with path.open("wb") as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block, np.float32).data)
    return RowFile(path, width)
