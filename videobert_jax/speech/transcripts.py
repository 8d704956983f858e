"""Subtitles to a `Transcript`: spoken words with their times.

WebVTT and SubRip are parsed by `webvtt-py`; the contents decide which of the two a file is, not its name. `formats` has
the other formats of the field. On top of any parser stand the rules below. What they mend is counted in
`Transcript.repairs`.

* Encoding: what the byte order mark says, else UTF-8, else Windows-1252; anything else is refused.
* A cue with an unreadable or negative time, or without text, is dropped ("unreadable or empty cues").
* Rolling captions, as YouTube makes them, show each line again in the next cue: a line is taken once ("rolled lines").
* A cue that ends before it starts has its times swapped ("reversed times").
* A cue that repeats another's time and text is dropped ("repeated cues"); cues that start together become one.
* A cue that runs into the next one ends where that one starts ("overlapping cues").
* Markup, speaker marks, sound descriptions such as ``[Music]`` and lyrics between notes are no speech and are removed.
* A word of more letters than any word has is no speech either ("overlong words").
* A word starts at its own time where the file has one; other words share the time between by their number of letters.
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

from videobert_jax.errors import TranscriptError

# UTF-32 before UTF-16: the mark of the one begins with the mark of the other.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WORD_TIME = re.compile(r"<(?:(\d{1,4}):)?(\d{2}):(\d{2}\.\d{3})>")
# No class below takes in the character that opens its pattern, or a line of nothing else would take quadratic time.
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}|[\u200b\ufeff]")
NO_SPEECH = re.compile(r"\[[^\[\]]*\]|^\s*\([^)]*\)\s*$|[♪♫][^♪♫]*[♪♫]?|>>+|^\s*-\s")

# A word with its own time lasts until the next word, but no longer than it takes to say, so that pauses show.
LONGEST_WORD_SECONDS = 0.15
LONGEST_LETTER_SECONDS = 0.06

LONGEST_WORD = 100  # letters; BERT's tokenizers know no longer ones, and to train one takes time in their square
ROLLED_LINES = 8  # that a cue takes over from the one before it, at most; two or three are usual


@dataclasses.dataclass(frozen=True)
class Word:
    """A spoken word: seconds on the video's clock, and the number of the cue that showed it."""

    text: str
    start: float
    end: float
    cue: int


@dataclasses.dataclass(frozen=True)
class Transcript:
    """Words in the order of time, never overlapping; how often each repair was needed."""

    words: tuple[Word, ...]
    repairs: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Cue:
    """Lines that are shown between two moments, in seconds; they may hold markup and the times of words."""

    start: float
    end: float
    lines: tuple[str, ...]

    @property
    def has_word_times(self) -> bool:
        """Whether a line holds the time of a word."""
        return any(WORD_TIME.search(line) for line in self.lines)


def read_text(path: pathlib.Path) -> str:
    """A text file in one of the encodings above, without white space before. Raises TranscriptError."""
    try:
        text = _decode(path.read_bytes()).lstrip()
    except OSError as error:
        raise TranscriptError(f"the transcript cannot be read: {error.strerror}") from error
    if not text:
        raise TranscriptError("the transcript is empty")
    return text


def parse_subtitles(text: str) -> Transcript:
    """The contents of a WebVTT or SubRip file. Raises TranscriptError."""
    repairs: collections.Counter[str] = collections.Counter()
    return from_cues(unrolled(_parse(text, repairs), repairs), repairs)


def from_cues(cues: list[Cue], repairs: collections.Counter[str]) -> Transcript:
    """The words of cues, whatever file these are from; `repairs` takes up what is mended. Raises TranscriptError."""
    cues = _in_order(cues, repairs)
    words = tuple(word for number, cue in enumerate(cues) for word in _words(cue, number, repairs))
    if not words:
        raise TranscriptError("the transcript holds no spoken words")
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
    """Takes from each cue the lines that the cue before it still showed, if the file rolls at all."""
    carried = [0] + [_carried_lines(before, cue) for before, cue in itertools.pairwise(cues)]
    rolling = any(cue.has_word_times for cue in cues) or 2 * sum(map(bool, carried)) > len(cues)
    if not rolling:
        return cues
    repairs["rolled lines"] += sum(carried)
    fresh = [dataclasses.replace(cue, lines=cue.lines[count:]) for cue, count in zip(cues, carried, strict=True)]
    return [cue for cue in fresh if cue.lines]


def _carried_lines(before: Cue, cue: Cue) -> int:
    """How many of the first lines of `cue` are the last lines of the cue before it; a line with word times is new."""
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
