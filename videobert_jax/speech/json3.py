"""YouTube's json3: ``{"events": [{"tStartMs", "dDurationMs", "segs": [{"utf8", "tOffsetMs"}]}]}``, in milliseconds.

An event is a cue, and a segment with an offset a word with its own time. Events without words are layout. One whose
times are no numbers or negative, or whose segments are no texts, is dropped ("unreadable or empty cues"); an offset
that is no number is passed over ("unreadable word times"): its word shares the time between its neighbours.
"""

import collections
import json
from typing import Any

from videobert_jax.errors import TranscriptError
from videobert_jax.speech.intervals import moment
from videobert_jax.speech.transcripts import Cue, Transcript, from_cues

LONGEST_HOURS = 10_000  # that the time of a word is written with


def parse_json3(text: str) -> Transcript:
    """The contents of a file. Raises TranscriptError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranscriptError(f"the transcript is broken JSON ({type(error).__name__}: {error})") from error
    events = content.get("events") if isinstance(content, dict) else None
    if not isinstance(events, list):
        raise TranscriptError('the transcript is JSON, but no json3: it has no list "events"')
    repairs: collections.Counter[str] = collections.Counter()
    cues = []
    for event in events:
        try:
            cue = _cue(event, repairs)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            repairs["unreadable or empty cues"] += 1
            continue
        if cue.lines[0].strip():
            cues.append(cue)
    return from_cues(cues, repairs)


def _cue(event: dict[str, Any], repairs: collections.Counter[str]) -> Cue:
    line = "".join(_marked(segment, event, repairs) for segment in event.get("segs", ()))
    if not line.strip():
        return Cue(0, 0, ("",))
    start = moment(event["tStartMs"]) / 1000
    length = float(event["dDurationMs"]) / 1000
    return Cue(start, moment(start + length), (line,))


def _marked(segment: dict[str, Any], event: dict[str, Any], repairs: collections.Counter[str]) -> str:
    """The text of a segment, after its time as WebVTT writes it."""
    text: str = segment["utf8"]
    text.encode()  # half of a surrogate pair, which JSON can write, cannot be stored
    if "tOffsetMs" not in segment:
        return text
    try:
        milliseconds = round(moment(event["tStartMs"]) + moment(segment["tOffsetMs"]))
        hours, rest = divmod(milliseconds, 3_600_000)
        if hours >= LONGEST_HOURS:
            raise ValueError(f"{hours} hours")
    except (TypeError, ValueError, OverflowError):
        repairs["unreadable word times"] += 1
        return text
    return f"<{hours:02d}:{rest // 60_000:02d}:{rest % 60_000 / 1000:06.3f}>{text}"
