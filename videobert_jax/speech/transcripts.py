"""Subtitles to a `Transcript`: spoken words with their times.

`webvtt-py` parses WebVTT and SubRip; the content decides which of the two a file is, not its name. `json3` and
`intervals` parse the other formats. The rules below apply to all formats; `Transcript.repairs` counts the repairs.

* Encoding: given by the byte order mark, else UTF-8, else Windows-1252; anything else is rejected.
* A cue without text, or with an unreadable or negative time, is dropped ("unreadable or empty cues").
* YouTube's rolling captions repeat each line in the next cue: the repetition is removed ("rolled lines").
* A cue that ends before it starts has its times swapped ("reversed times").
* A cue with the times and text of another is dropped ("repeated cues"); cues that start together are merged.
* A cue that overlaps the next one ends where that one starts ("overlapping cues").
* Markup, speaker marks, sound descriptions such as ``[Music]`` and lyrics between notes are removed.
* A word longer than `LONGEST_WORD` letters is removed ("overlong words").
* A word starts at its own time if the file has one; other words share the time between by their number of letters.
"""

import codecs
import collections
import dataclasses
import html
import io
import itertools
import pathlib
import re
from collections.abc import Mapping

import numpy as np
import webvtt
from webvtt.errors import MalformedFileError

from videobert_jax.errors import SilentError, TranscriptError

# UTF-32 before UTF-16, whose mark is a prefix of UTF-32's.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WORD_TIME = re.compile(r"<(?:(\d{1,4}):)?(\d{2}):(\d{2}\.\d{3})>")
# No class below includes the character that opens its pattern: a line of that character would take quadratic time.
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}|[\u200b\ufeff]")
NO_SPEECH = re.compile(r"\[[^\[\]]*\]|^\s*\([^)]*\)\s*$|[♪♫][^♪♫]*[♪♫]?|>>+|^\s*-\s")

# A word with its own time lasts until the next word, but no longer than it takes to say, so that pauses remain.
LONGEST_WORD_SECONDS = 0.15
LONGEST_LETTER_SECONDS = 0.06

LONGEST_WORD = 100  # letters; the limit of BERT's tokenizers, whose training takes time quadratic in the length
ROLLED_LINES = 8  # at most, repeated from the previous cue; two or three are usual


@dataclasses.dataclass(frozen=True)
class Word:
    """A spoken word: times in seconds on the video's clock, and the number of the cue that showed it."""

    text: str
    start: float
    end: float
    cue: int


@dataclasses.dataclass(frozen=True)
class Transcript:
    """Words in order of time, never overlapping, and the number of repairs of each kind."""

    words: tuple[Word, ...]
    repairs: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Cue:
    """Lines shown from `start` to `end`, in seconds; they may contain markup and word times."""

    start: float
    end: float
    lines: tuple[str, ...]

    @property
    def has_word_times(self) -> bool:
        """Whether a line contains a word time."""
        return any(WORD_TIME.search(line) for line in self.lines)


def read_text(path: pathlib.Path) -> str:
    """Reads a text file in one of the encodings above and strips leading white space. Raises TranscriptError."""
    try:
        text = _decode(path.read_bytes()).lstrip()
    except OSError as error:
        raise TranscriptError(f"the transcript cannot be read: {error.strerror}") from error
    if not text:
        raise TranscriptError("the transcript is empty")
    return text


def parse_subtitles(text: str) -> Transcript:
    """Parses the contents of a WebVTT or SubRip file. Raises TranscriptError."""
    repairs: collections.Counter[str] = collections.Counter()
    return from_cues(unrolled(_parse(text, repairs), repairs), repairs)


def from_cues(cues: list[Cue], repairs: collections.Counter[str]) -> Transcript:
    """Extracts the words of cues from any format; adds its repairs to `repairs`.

    Raises TranscriptError if there are none: SilentError, unless there would be some in what cannot be read.
    """
    cues = _in_order(cues, repairs)
    words = tuple(word for number, cue in enumerate(cues) for word in _words(cue, number, repairs))
    if not words:
        lost = repairs["unreadable or empty cues"] + repairs["overlong words"]
        raise (TranscriptError if lost else SilentError)("the transcript holds no spoken words")
    return Transcript(words, dict(+repairs))


def _decode(data: bytes) -> str:
    marked = [encoding for mark, encoding in BYTE_ORDER_MARKS.items() if data.startswith(mark)]
    for encoding in marked[:1] or ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TranscriptError("the transcript is not text in UTF-8, UTF-16 or Windows-1252")


def _parse(text: str, repairs: collections.Counter[str]) -> list[Cue]:
    try:
        parsed = webvtt.WebVTT.from_buffer(io.StringIO(text), format="vtt" if text.startswith("WEBVTT") else "srt")
    except MalformedFileError:
        raise TranscriptError(f"the transcript is neither WebVTT nor SubRip: it begins {text[:20]!r}") from None
    cues = []
    for caption in parsed.captions:
        start, end = caption.start_time.in_milliseconds() / 1000, caption.end_time.in_milliseconds() / 1000
        lines = tuple(line for line in caption.lines if line.strip())
        if lines:
            cues.append(Cue(start, end, lines))
    repairs["unreadable or empty cues"] += sum("-->" in line for line in text.splitlines()) - len(cues)
    return cues


def unrolled(cues: list[Cue], repairs: collections.Counter[str]) -> list[Cue]:
    """Removes from each cue the lines repeated from the previous cue, if the captions roll."""
    carried = [0] + [_carried_lines(before, cue) for before, cue in itertools.pairwise(cues)]
    rolling = any(cue.has_word_times for cue in cues) or 2 * sum(map(bool, carried)) > len(cues)
    if not rolling:
        return cues
    repairs["rolled lines"] += sum(carried)
    fresh = [dataclasses.replace(cue, lines=cue.lines[count:]) for cue, count in zip(cues, carried, strict=True)]
    return [cue for cue in fresh if cue.lines]


def _carried_lines(before: Cue, cue: Cue) -> int:
    """How many of the first lines of `cue` are the last lines of the previous cue; a line with word times is new."""
    shown = [_speech(line) for line in before.lines[-ROLLED_LINES:]]
    still = [_speech(line) if not WORD_TIME.search(line) else None for line in cue.lines[:ROLLED_LINES]]
    return max((n for n in range(1, len(still) + 1) if shown[-n:] == still[:n]), default=0)


def _in_order(cues: list[Cue], repairs: collections.Counter[str]) -> list[Cue]:
    """Cues sorted by time, none reversed, repeated or overlapping."""
    repairs["reversed times"] += sum(cue.end < cue.start for cue in cues)
    cues = [Cue(min(cue.start, cue.end), max(cue.start, cue.end), cue.lines) for cue in cues]
    repairs["repeated cues"] += len(cues) - len(set(cues))
    ordered: list[Cue] = []
    for cue in sorted(dict.fromkeys(cues), key=lambda cue: cue.start):
        last = ordered[-1] if ordered else None
        if last and last.start == cue.start:
            ordered[-1] = Cue(cue.start, max(last.end, cue.end), last.lines + cue.lines)
            continue
        if last and last.end > cue.start:
            repairs["overlapping cues"] += 1
            ordered[-1] = dataclasses.replace(last, end=cue.start)
        ordered.append(cue)
    return ordered


def _words(cue: Cue, number: int, repairs: collections.Counter[str]) -> list[Word]:
    def spoken(text: str) -> list[str]:
        words = _speech(text).split()
        kept = [word for word in words if len(word) <= LONGEST_WORD]
        repairs["overlong words"] += len(words) - len(kept)
        return kept

    texts: list[str] = []
    known = {0: cue.start}  # index of a word -> when it starts
    for line in cue.lines:
        # Splitting at the word times yields: text, hours, minutes, seconds, text, hours, ...
        first, *rest = WORD_TIME.split(line)
        texts += spoken(first)
        for hours, minutes, seconds, text in zip(*(rest[i::4] for i in range(4)), strict=True):
            known[len(texts)] = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
            texts += spoken(text)
    known[len(texts)] = cue.end
    letters = np.cumsum([0] + [len(text) for text in texts])
    times = np.maximum.accumulate(np.clip(list(known.values()), cue.start, cue.end))
    moments = np.interp(letters, letters[list(known)], times)
    starts, ends = moments[:-1], moments[1:]
    if cue.has_word_times:
        longest = [LONGEST_WORD_SECONDS + LONGEST_LETTER_SECONDS * len(text) for text in texts]
        ends = np.minimum(ends, starts + longest)
    return [Word(text, float(start), float(end), number) for text, start, end in zip(texts, starts, ends, strict=True)]


def _speech(text: str) -> str:
    """The spoken part of a line, without word times, with single spaces."""
    text = html.unescape(MARKUP.sub("", WORD_TIME.sub("", text)))
    return " ".join(NO_SPEECH.sub(" ", text).split())
