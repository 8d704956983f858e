"""Rows of (start, end, text) to cues: the format of HowTo100M, HERO and CSV tables.

A row is dropped and counted under "unreadable or empty cues" if its text is empty or not a string, or if a time is not
a finite, non-negative number. The rules of `transcripts` repair the rest.
"""

import collections
import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

from videobert_jax.errors import TranscriptError
from videobert_jax.speech.transcripts import Cue, Transcript, from_cues, unrolled

COLUMNS = ("start", "end", "text")


def moment(value: Any) -> float:
    """Converts a time to seconds. Raises ValueError or TypeError unless it is a finite, non-negative number."""
    if isinstance(value, bool):
        raise TypeError(f"{value} is not a time")
    seconds = float(value)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{value} is not a time")
    return seconds


def from_rows(rows: Iterable[tuple[Any, Any, Any]]) -> Transcript:
    """Builds a transcript from rows (start, end, text). Raises TranscriptError if no row holds a spoken word."""
    repairs: collections.Counter[str] = collections.Counter()
    cues = []
    for start, end, text in rows:
        try:
            cues.append(Cue(moment(start), moment(end), _lines(text)))
        except (TypeError, ValueError, OverflowError):
            repairs["unreadable or empty cues"] += 1
    return from_cues(unrolled(cues, repairs), repairs)


def _lines(text: Any) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is not a string")
    text.encode()  # fails for half of a surrogate pair, which JSON can contain but UTF-8 cannot
    lines = tuple(line for line in text.splitlines() if line.strip())
    if not lines:
        raise ValueError("no text")
    return lines


def from_columns(columns: Any) -> Transcript:
    """Builds a transcript from ``{"start": [...], "end": [...], "text": [...]}``. Raises TranscriptError."""
    if not isinstance(columns, Mapping) or not all(isinstance(columns.get(name), list) for name in COLUMNS):
        raise TranscriptError(f"the transcript lacks a list of each of {', '.join(COLUMNS)}")
    lists = [columns[name] for name in COLUMNS]
    if len(lengths := set(map(len, lists))) > 1:
        raise TranscriptError(f"{', '.join(COLUMNS)} are lists of {sorted(lengths)} entries, expected equal lengths")
    return from_rows(zip(*lists, strict=True))


def is_table(text: str) -> bool:
    """Whether the first line of a text names the columns of such a table, in any order and possibly among others."""
    header = text.partition("\n")[0].strip().split(",")
    return {name.strip(' "').lower() for name in header} >= set(COLUMNS)


def parse_table(text: str) -> Transcript:
    """Parses comma-separated values whose header names the columns. Raises TranscriptError."""
    table = csv.reader(io.StringIO(text))
    try:
        header = [name.strip().lower() for name in next(table)]
        places = [header.index(name) for name in COLUMNS]
        rows = [tuple(row[place] if place < len(row) else None for place in places) for row in table if row]
    except csv.Error as error:
        raise TranscriptError(f"line {table.line_num} of the table cannot be read: {error}") from error
    return from_rows((start, end, words) for start, end, words in rows)
