"""JSON and comma-separated values from files that are named for many videos: an error names the file and the place."""

import csv
import json
import pathlib
from collections.abc import Iterator, Set
from typing import Any

from videobert_jax.errors import FormatError


def read_json(path: pathlib.Path) -> Any:
    """The content of a file of JSON. Raises FormatError."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON ({type(error).__name__}: {error}); mend it") from error


def read_table(path: pathlib.Path) -> tuple[Set[str], Iterator[tuple[int, dict[str, str]]]]:
    """The names of a table's columns, and its rows, each with its line; what a short row lacks is empty.

    Raises FormatError.
    """
    rows = _rows(path)
    _, header = next(rows, (0, []))
    columns = [name.strip().lower() for name in header]
    padding = [""] * len(columns)
    return set(columns), ((line, dict(zip(columns, row + padding, strict=False))) for line, row in rows if row)


def _rows(path: pathlib.Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file)
        try:
            for row in table:
                yield table.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"{path} cannot be read after line {table.line_num:,}: {error}; mend it") from error
