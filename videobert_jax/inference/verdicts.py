"""Verdicts on many videos: a file of JSON lines, from which a stopped program resumes."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from videobert_jax.errors import ConfigError, TranscriptError, VideoError
from videobert_jax.files import write_text
from videobert_jax.inference.moderate import fingerprint, moderate
from videobert_jax.inference.policy import Policy
from videobert_jax.prepare import scan
from videobert_jax.video import feature_files

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model

Line = Mapping[str, Any]  # "video", "key", and a verdict or an "error"
BEGINNING = '{"video": '  # of a line


def find(paths: Sequence[pathlib.Path], backbone: str) -> list[pathlib.Path]:
    """The videos, and those in folders and their folders, each once. Files are not opened.

    Raises ConfigError for a folder that holds none.
    """
    suffixes = feature_files.SUFFIXES if backbone == feature_files.BACKBONE else scan.VIDEO_SUFFIXES
    found: dict[pathlib.Path, None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        inside = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in suffixes and one.is_file()]
        if not inside:
            raise ConfigError(f"{path} holds no videos, expected files that end in {', '.join(suffixes)}; name another")
        found.update(dict.fromkeys(inside))
    return list(found)


def read(path: pathlib.Path) -> list[Line]:
    """The lines of a file of verdicts, none if it does not exist; without a last one that was not written whole.

    Raises ConfigError if it is no such file.
    """
    try:
        *whole, rest = path.read_text(encoding="utf-8").split("\n")
        lines = [json.loads(line) for line in whole]
        if not BEGINNING.startswith(rest[: len(BEGINNING)]):
            raise ValueError("its last line is none of a stopped program")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no file of verdicts ({error}); name another with --output") from error
    for number, line in enumerate(lines, 1):
        if not isinstance(line, dict) or not {"video", "key"} <= line.keys():
            raise ConfigError(f"{path} is no file of verdicts: see its line {number}; name another with --output")
    return lines


def judge_all(
    model: "Model", policy: Policy, videos: Sequence[pathlib.Path], output: pathlib.Path | None = None
) -> list[Line]:
    """Judges videos in order; each line is printed, or added to the output, as soon as it is made.

    A line of the output is kept if video, transcript, policy and model are as they were, and it is no error.
    Others about these videos are removed; lines about other videos stay.

    Raises as `moderate.thresholds_of` and `read`, before any video is opened.
    """
    made_by = fingerprint(model, policy)
    earlier = _still_valid(read(output), videos, made_by) if output else []
    if output:
        write_text(output, "".join(f"{json.dumps(line)}\n" for line in earlier))
    known = {line["video"]: line for line in earlier}
    lines = []
    for video in videos:
        line = known.get(str(video))
        if line is None:
            line = _line(model, policy, video, made_by)
            _write(line, output)
        lines.append(line)
    return lines


def _still_valid(earlier: Sequence[Line], videos: Sequence[pathlib.Path], made_by: str) -> list[Line]:
    """The lines about other videos, and those about these that would be the same if made now."""
    named = {str(video): video for video in videos}
    return [
        line
        for line in earlier
        if not (video := named.get(line["video"])) or ("error" not in line and line["key"] == _key(video, made_by))
    ]


def _line(model: "Model", policy: Policy, video: pathlib.Path, made_by: str) -> Line:
    key = _key(video, made_by)  # before the file is read: if it changes meanwhile, the line does not hold
    try:
        return {"video": str(video), "key": key, **moderate(model, policy, video).as_dict()}
    except (VideoError, TranscriptError, OSError) as error:
        return {"video": str(video), "key": key, "error": str(error)}


def _key(video: pathlib.Path, made_by: str) -> str:
    """What a line depends on: all that `moderate.fingerprint` covers, and the files, by their sizes and times."""
    try:
        return scan.digest([made_by, scan.fingerprint((video, scan.transcript_beside(video)))])
    except OSError:  # there is no such file
        return scan.digest([made_by])


def _write(line: Line, output: pathlib.Path | None) -> None:
    text = json.dumps(line, allow_nan=False)
    if output is None:
        print(text, flush=True)
        return
    with output.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
