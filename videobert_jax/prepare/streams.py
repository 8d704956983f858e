"""Streams a file with the transcripts of many videos, one transcript in memory at a time.

* HowTo100M's ``caption.json``, ``raw_caption.json`` and ``raw_caption_superclean.json``:
  ``{video id: {"start": [seconds], "end": [seconds], "text": [str]}}``, parsed by `ijson`.
* HERO's and TV's lines of JSON: ``{"vid_name": video id, "sub": [{"text", "start", "end"}]}``.

The first transcript of a video counts. A truncated file is rejected.
"""

import json
import pathlib
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO

import ijson

from videobert_jax.errors import FormatError
from videobert_jax.speech.intervals import from_columns, from_rows
from videobert_jax.speech.transcripts import Transcript

BOM = b"\xef\xbb\xbf"
CHUNK = 1 << 16  # bytes
DEEPEST = 1000  # nesting of values; at a hundred times as much the parser's stack overflows and the program crashes
LONGEST_LINE = 1 << 26  # bytes, thousands of times as long as a video's subtitles

Entries = Iterator[tuple[str, Any]]  # video id, content of JSON


def transcripts(path: pathlib.Path, video_ids: Collection[str]) -> Entries:
    """Yields (video id, input of `parse`) in file order. Raises FormatError if the file is truncated or unknown."""
    missing = set(video_ids)
    for video_id, content in reader(path)(path):
        if video_id in missing:
            missing.discard(video_id)
            yield video_id, content


def parse(content: Any) -> Transcript:
    """Parses a video's entry: HowTo100M's columns or HERO's list of rows. Raises TranscriptError."""
    if not isinstance(content, list):
        return from_columns(content)
    rows = [row if isinstance(row, dict) else {} for row in content]
    return from_rows((row.get("start"), row.get("end"), row.get("text")) for row in rows)


def reader(path: pathlib.Path) -> Callable[[pathlib.Path], Entries]:
    """Returns the reader for a file, judging by its first bytes. Raises FormatError if it has neither format."""
    with path.open("rb") as file:
        start = file.read(CHUNK).removeprefix(BOM).lstrip()
    if not start.startswith(b"{"):
        raise FormatError(
            f"{path} begins with {start[:20]!r}, expected HowTo100M's captions or HERO's lines of JSON; "
            "name another file with --config.data.transcripts"
        )
    by_line = re.match(rb'\{\s*"(vid_name|sub)"\s*:\s*(?!\{)', start)
    return _hero if by_line else _howto100m


def _howto100m(path: pathlib.Path) -> Entries:
    videos = 0
    with path.open("rb") as file:
        file.seek(len(BOM) if file.read(len(BOM)) == BOM else 0)
        try:
            for video_id, columns in ijson.kvitems(StandardJson(file), "", use_float=True):
                yield video_id, columns
                videos += 1
        except (ijson.JSONError, ValueError, OverflowError, RecursionError) as error:
            raise _broken(path, f"after {videos:,} videos, near byte {file.tell():,}", error) from error


def _hero(path: pathlib.Path) -> Entries:
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line.decode("utf-8-sig"))
                video_id, subtitles = entry["vid_name"], entry["sub"]
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                raise _broken(path, f"in line {number:,}", error) from error
            yield str(video_id), subtitles


def _broken(path: pathlib.Path, place: str, error: Exception) -> FormatError:
    reason = " ".join(str(error).split())[:200]
    return FormatError(f"{path} is broken {place} ({type(error).__name__}: {reason}); replace it and run again")


class StandardJson:
    """A JSON file with NaN and Infinity, which Python writes, replaced by null for strict parsers."""

    NO_NUMBER = re.compile(rb"-?Infinity|NaN")
    BEGUN = re.compile(rb"[-A-Za-z]*\Z")  # a possible prefix of NO_NUMBER

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = b""  # the end of the last chunk, if a word or an escape may continue after it
        self._in_string = False
        self._depth = 0

    def read(self, size: int) -> bytes:
        """Returns at least one byte before the end of the file; none for size 0, with which ijson tests the type."""
        out = b""
        while size and not out:
            fresh = self._file.read(CHUNK)
            chunk = self._held + fresh
            keep = len(chunk) - self._open_end(chunk) if fresh else len(chunk)
            chunk, self._held = chunk[:keep], chunk[keep:]
            out = self._replaced(chunk)
            if not fresh:
                break
        return out

    def _open_end(self, chunk: bytes) -> int:
        """Returns how many bytes at the end may belong to an incomplete word or escape."""
        backslashes = len(chunk) - len(chunk.rstrip(b"\\"))
        begun = self.BEGUN.search(chunk[-len("-Infinity") :])
        return backslashes % 2 or len(begun[0] if begun else b"")

    def _replaced(self, chunk: bytes) -> bytes:
        """Replaces NO_NUMBER outside strings by null; remembers whether the chunk ends inside a string."""
        parts = []
        done = 0
        for found in self.NO_NUMBER.finditer(chunk):
            self._pass(chunk[done : found.start()])
            parts += [chunk[done : found.start()], found[0] if self._in_string else b"null"]
            done = found.end()
        self._pass(chunk[done:])
        return b"".join([*parts, chunk[done:]])

    def _pass(self, part: bytes) -> None:
        pieces = part.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
        outside = b"".join(pieces[self._in_string :: 2])
        self._depth += sum(outside.count(sign) for sign in (b"[", b"{")) - sum(map(outside.count, (b"]", b"}")))
        if self._depth > DEEPEST:
            raise ValueError(f"values are nested more than {DEEPEST:,} deep")
        self._in_string ^= len(pieces) % 2 == 0
