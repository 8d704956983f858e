"""Finds the videos, transcripts and annotations in a folder.

The folder is searched recursively. A video's id is its file name without the suffix; if several share an id, the least
deeply nested counts. Its transcript is in the same folder and is named ``<id>.vtt``, ``.srt``, ``.json3`` or ``.csv``,
possibly with a language, as downloaders do: ``<id>.en.vtt``. Links are followed; a folder reached twice counts once.
Transcripts and annotations may also be elsewhere: see `scan`. Files of features are handled like videos.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import stat
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from videobert_jax.errors import MissingError
from videobert_jax.formats.problems import Problem
from videobert_jax.video import feature_files

VIDEO_SUFFIXES = (
    ".mp4",
    ".mkv",
    ".webm",
    ".avi",
    ".mov",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".ts",
    ".flv",
    ".ogv",
    ".wmv",
    ".3gp",
)
TRANSCRIPT_SUFFIXES = (".vtt", ".srt", ".json3", ".csv")  # in order of preference
LANGUAGE = re.compile(r"\.[a-z]{2,3}([-_][A-Za-z0-9]+)*$")
ANNOTATIONS = "annotations.json"
CACHE_TAG = "CACHEDIR.TAG"  # by convention, marks a folder whose files can be regenerated
LONGEST_ID = 240  # bytes; leaves room for affixes in file names of at most 255


@dataclasses.dataclass(frozen=True)
class Source:
    """A video, or its file of features, and its transcript if it has one."""

    video_id: str
    video: pathlib.Path
    transcript: pathlib.Path | None


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The inputs found in a folder.

    Attributes:
      sources: one per video id, sorted by id.
      annotations: file or folder with splits and captions.
      problems: files that cannot be used, or only partly.
      transcripts: one file with transcripts for the sources without their own.
    """

    sources: tuple[Source, ...]
    annotations: pathlib.Path | None
    problems: tuple[Problem, ...]
    transcripts: pathlib.Path | None = None


def scan(
    folder: pathlib.Path,
    transcripts: pathlib.Path | None = None,
    annotations: pathlib.Path | None = None,
    features: bool = False,
) -> Corpus:
    """Finds the inputs in a folder. Raises MissingError if it or a given path does not exist, or FileNotFoundError if
    it holds no video.

    Args:
      folder: holds the videos, and possibly their transcripts and ``annotations.json``.
      transcripts: for videos without a transcript in `folder`: a folder of transcripts, named alike, or one file with
        all of them.
      annotations: a file or folder to use instead of ``annotations.json``.
      features: look for files of features (see `backbones.precomputed`) instead of videos.
    """
    for option, path in (("transcripts", transcripts), ("annotations", annotations)):
        if path and not path.exists():
            raise MissingError(f"there is no {path}; name a file or a folder with --config.data.{option}")
    if not folder.is_dir():
        raise MissingError(f"there is no folder {folder}; name one with --config.data.videos")
    videos, others, flaws = _find(folder, features)
    beside, orphans = _match(videos, others)
    elsewhere = _transcripts_in(transcripts, videos) if transcripts and transcripts.is_dir() else {}
    shared = transcripts if transcripts and transcripts.is_file() else None

    sources: dict[str, Source] = {}
    problems = [
        Problem(_name(path, folder), "scan", "transcript without a video")
        for path in orphans
        if path.suffix.lower() != ".csv"
    ]
    problems += [Problem(_name(path, folder), "scan", flaw) for path, flaw in flaws.items()]
    for video in videos:
        name, video_id = _name(video, folder), video.stem
        transcript = beside.get(video.with_suffix("")) or elsewhere.get(video_id)
        if video_id in sources:
            kept = _name(sources[video_id].video, folder)
            problems.append(Problem(name, "scan", f"another video has the same id {video_id!r}: {kept}"))
            continue
        sources[video_id] = Source(video_id, video, transcript)
    if not shared:
        problems += _silent(sources.values(), folder)
    truth = annotations or folder / ANNOTATIONS
    return Corpus(
        sources=tuple(sources[video_id] for video_id in sorted(sources)),
        annotations=truth if annotations or truth.is_file() else None,
        problems=tuple(sorted(problems)),
        transcripts=shared,
    )


def _silent(sources: Collection[Source], folder: pathlib.Path) -> list[Problem]:
    """Returns a problem for each video without a transcript, or a single one if no video has one."""
    reason = "without a transcript: used for video-only examples"
    silent = [source for source in sources if not source.transcript]
    if len(silent) == len(sources) > 1:
        return [Problem(f"all {len(sources):,} videos", "scan", reason)]
    return [Problem(_name(source.video, folder), "scan", f"video {reason}") for source in silent]


def _find(
    folder: pathlib.Path, features: bool
) -> tuple[list[pathlib.Path], list[pathlib.Path], dict[pathlib.Path, str]]:
    """Returns videos, transcripts, and why files cannot be used. Raises FileNotFoundError if there is no video."""
    suffixes = feature_files.SUFFIXES if features else VIDEO_SUFFIXES
    names = sorted(_names(folder), key=lambda path: (len(path.parts), path))
    videos = [path for path in names if path.suffix.lower() in suffixes]
    others = [path for path in names if path.suffix.lower() in TRANSCRIPT_SUFFIXES]
    flaws = {path: flaw for path in (*videos, *others) if (flaw := _flaw(path, folder))}
    if features:
        flaws |= _flaws_of_features([path for path in videos if path not in flaws])
    usable = [path for path in videos if path not in flaws]
    if not usable:
        kind = "features" if features else "videos"
        refused = "".join(f"; {_name(path, folder)}: {flaws[path]}" for path in videos[:1])
        if not features and any(path.suffix.lower() in feature_files.SUFFIXES for path in names):
            refused += "; for the features that it holds set --config.prepare.backbone=precomputed"
        raise FileNotFoundError(f"{folder} holds no {kind}; expected files that end in {', '.join(suffixes)}{refused}")
    return usable, [path for path in others if path not in flaws], flaws


def _flaws_of_features(paths: Sequence[pathlib.Path]) -> dict[pathlib.Path, str]:
    sizes, flaws = {}, {}
    for path in sorted(paths, key=lambda path: path.stem):
        try:
            sizes[path] = feature_files.shape(path).size
        except OSError as error:
            flaws[path] = f"cannot be read: {error.strerror or error}"
        except ValueError as error:
            flaws[path] = str(error)
    most = feature_files.common_size(list(sizes.values()))
    odd = {path: f"rows of {size} values, and most files have {most}" for path, size in sizes.items() if size != most}
    return flaws | odd


def _transcripts_in(folder: pathlib.Path, videos: Sequence[pathlib.Path]) -> dict[str, pathlib.Path]:
    """Returns the best transcript for each video id, among those directly in a folder."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TRANSCRIPT_SUFFIXES]
    usable = [path for path in found if not _flaw(path, folder)]
    matched, _ = _match([folder / video.name for video in videos], usable)
    return {video.name: transcript for video, transcript in matched.items()}


def transcript_beside(video: pathlib.Path) -> pathlib.Path | None:
    """Returns the transcript that `scan` would find in the folder of a video or file of features."""
    of_features = video.suffix.lower() in feature_files.SUFFIXES
    suffixes = feature_files.SUFFIXES if of_features else VIDEO_SUFFIXES
    beside = sorted(video.parent.iterdir())
    files = [path for path in beside if path.suffix.lower() in (*suffixes, *TRANSCRIPT_SUFFIXES)]
    usable = [path for path in files if not _flaw(path, video.parent)]
    transcripts = [path for path in usable if path.suffix.lower() in TRANSCRIPT_SUFFIXES]
    matched, _ = _match([video, *(path for path in usable if path not in transcripts)], transcripts)
    return matched.get(video.with_suffix(""))


def fingerprint(paths: Iterable[pathlib.Path | None]) -> str:
    """Hashes names, sizes and modification times: earlier results for the files are valid while it is unchanged."""
    stats = [(path.name, path.stat()) for path in paths if path is not None]
    return digest([(name, found.st_size, found.st_mtime_ns) for name, found in stats])


def digest(content: Any) -> str:
    """Hashes a JSON value to twelve hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _names(folder: pathlib.Path) -> Iterable[pathlib.Path]:
    seen = set()
    for directory, subfolders, names in os.walk(folder, followlinks=True):
        parent = pathlib.Path(directory)
        place = parent.stat()
        if (place.st_dev, place.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        if CACHE_TAG in names and parent != folder:
            subfolders.clear()
            continue
        # Links come last, so that a folder that can be reached in several ways keeps its own name.
        shown = [name for name in subfolders if not name.startswith(".")]
        subfolders[:] = sorted(shown, key=lambda name: ((parent / name).is_symlink(), name))
        yield from (parent / name for name in names if not name.startswith("."))


def _flaw(path: pathlib.Path, folder: pathlib.Path) -> str | None:
    """Returns why a file cannot be used, if that is known without opening it."""
    try:
        str(path.relative_to(folder)).encode()
        mode = path.stat().st_mode
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    except FileNotFoundError:
        return "a broken link"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(mode):
        return "not a file but a pipe, a socket or a device"
    if len(path.stem.encode()) > LONGEST_ID:
        return f"its name is too long; expected at most {LONGEST_ID} bytes without the suffix"
    return None


def _match(
    videos: Sequence[pathlib.Path], transcripts: Sequence[pathlib.Path]
) -> tuple[dict[pathlib.Path, pathlib.Path], list[pathlib.Path]]:
    """Returns the best transcript by video path without suffix, and the transcripts without a video."""
    known = {video.with_suffix("") for video in videos}
    candidates: dict[pathlib.Path, list[tuple[tuple[bool, bool, int], pathlib.Path]]] = {}
    orphans = []
    for transcript in transcripts:
        exact = transcript.with_suffix("")
        language = LANGUAGE.search(exact.name)
        owner = exact if exact in known or not language else exact.with_name(exact.name[: language.start()])
        if owner not in known:
            orphans.append(transcript)
            continue
        foreign = owner != exact and not exact.name[len(owner.name) :].startswith(".en")
        rank = (owner != exact, foreign, TRANSCRIPT_SUFFIXES.index(transcript.suffix.lower()))
        candidates.setdefault(owner, []).append((rank, transcript))
    return {owner: min(found)[1] for owner, found in candidates.items()}, orphans


def _name(path: pathlib.Path, folder: pathlib.Path) -> str:
    """Returns the name for reports, with bytes that are not UTF-8 escaped."""
    return os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
