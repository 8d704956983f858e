"""Which format a file is of, by its content."""

import json
import pathlib
from collections.abc import Collection

from videobert_jax.prepare import annotations as youcook2
from videobert_jax.prepare.formats import FormatError, captions, intervals, json3
from videobert_jax.prepare.transcripts import Transcript, parse_subtitles, read_text


def read_transcript(path: pathlib.Path) -> Transcript:
    """Reads the transcript of one video: WebVTT, SubRip, YouTube's json3, or a table of start, end and text.

    Raises TranscriptError with the reason if it holds no speech that can be read.
    """
    text = read_text(path)
    if text.startswith("{"):
        return json3.parse_json3(text)
    if intervals.is_table(text):
        return intervals.parse_table(text)
    return parse_subtitles(text)


def annotation_files(path: pathlib.Path) -> list[pathlib.Path]:
    """The file, or the .json files directly in the folder."""
    return sorted(path.glob("*.json")) if path.is_dir() else [path]


def read_annotations(path: pathlib.Path, video_ids: Collection[str]) -> captions.Read:
    """Reads annotations as YouCook2, MSR-VTT or ActivityNet Captions have them, a file or a folder of files.

    Args:
      path: the file or the folder.
      video_ids: the videos wanted; the files often name more, and need not name all.

    Raises:
      FormatError: if there is no file, or one is of no known format.
    """
    files = annotation_files(path)
    if not files:
        raise FormatError(f"{path} holds no .json file; name another with --config.data.annotations")
    return captions.merged([_read_annotations(file, video_ids) for file in files])


def _read_annotations(path: pathlib.Path, video_ids: Collection[str]) -> captions.Read:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON ({type(error).__name__}: {error}); mend it") from error
    if captions.is_msrvtt(content):
        return captions.from_msrvtt(content, video_ids)
    if captions.is_activitynet(content):
        return captions.from_activitynet(content, path.name, video_ids)
    if isinstance(content, dict) and "database" in content:
        try:
            return youcook2.read_annotations(path, video_ids)
        except ValueError as error:
            raise FormatError(str(error)) from error
    raise FormatError(
        f"{path} has the schema of none of YouCook2, MSR-VTT and ActivityNet Captions; name another file with "
        "--config.data.annotations"
    )
