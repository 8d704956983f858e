"""YouTube's json3: ``{"events": [{"tStartMs", "dDurationMs", "segs": [{"utf8", "tOffsetMs"}]}]}``, in milliseconds.

An event is a cue; a segment with an offset is a word with its own time. Events without words are layout. An event with
invalid times or text is dropped ("unreadable or empty cues"). An invalid offset is ignored ("unreadable word times"):
the word then shares the time between its neighbours.
"""

import collections
import json
from typing import Any

from videobert_jax.errors import TranscriptError
from videobert_jax.speech.intervals import moment
from videobert_jax.speech.transcripts import Cue, Transcript, from_cues

LONGEST_HOURS = 10_000  # the time of a word has at most four digits for the hours


def parse_json3(text: str) -> Transcript:
    """Parses the contents of a file. Raises TranscriptError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranscriptError(f"the transcript is broken JSON ({type(error).__name__}: {error})") from error
    events = content.get("events") if isinstance(content, dict) else None
    if not isinstance(events, list):
        raise TranscriptError('the transcript is JSON but not json3: it has no "events" list')
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
    """The text of a segment, preceded by its time in WebVTT syntax."""
    text: str = segment["utf8"]
    text.encode()  # fails for half of a surrogate pair, which JSON can contain but UTF-8 cannot
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
