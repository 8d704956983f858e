"""Reads JSON and CSV files; errors name the file and the place."""

import csv
import json
import pathlib
from collections.abc import Iterator, Set
from typing import Any

from videobert_jax.errors import FormatError


def read_json(path: pathlib.Path) -> Any:
    """Reads a JSON file. Raises FormatError."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON ({type(error).__name__}: {error}); fix the file") from error


def read_table(path: pathlib.Path) -> tuple[Set[str], Iterator[tuple[int, dict[str, str]]]]:
    """Reads a CSV file: its column names, and (line, row) pairs, with "" for missing values. Raises FormatError."""
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
            raise FormatError(
                f"{path} cannot be read after line {table.line_num:,}: {error}; expected CSV in UTF-8, fix the file"
            ) from error
