"""Reads transcripts of any supported format, detected from the content."""

import pathlib

from videobert_jax.errors import TranscriptError
from videobert_jax.speech import intervals, json3
from videobert_jax.speech.transcripts import Transcript, parse_subtitles, read_text


def read_transcript(path: pathlib.Path) -> Transcript:
    """Reads the transcript of one video: WebVTT, SubRip, YouTube's json3, or a table of start, end and text.

    Raises TranscriptError, with the reason, if it contains no readable speech: SilentError if it is intact.
    """
    text = read_text(path)
    if text.startswith("{"):
        return json3.parse_json3(text)
    if intervals.is_table(text):
        return intervals.parse_table(text)
    if path.suffix.lower() == ".csv" and "-->" not in text:
        header = text.partition("\n")[0][:80]
        raise TranscriptError(f"the table begins {header!r}, expected a line that names start, end and text")
    return parse_subtitles(text)
