"""A folder of videos with transcripts beside them, to a list of what there is to prepare.

The folder is searched recursively. A video's id is its file name without the suffix; of several with one id the least
deeply nested counts. Its transcript lies in the same folder and is named ``<id>.vtt``, ``.srt``, ``.json3`` or
``.csv``, or with a language, as downloaders do: ``<id>.en.vtt``. Links are followed; a folder that is reached twice
counts once. Transcripts and annotations may also lie elsewhere: see `scan`.

Files of features may take the place of videos; what is said here about videos then holds for them.
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

from videobert_jax.prepare.problems import Problem
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
CACHE_TAG = "CACHEDIR.TAG"  # by an agreement among programs, marks a folder whose files can be made again
LONGEST_ID = 240  # bytes; with what other files put around it, a file name of 255


@dataclasses.dataclass(frozen=True)
class Source:
    """One video, or the features of one, and its transcript if it has one."""

    video_id: str
    video: pathlib.Path
    transcript: pathlib.Path | None


@dataclasses.dataclass(frozen=True)
class Corpus:
    """What a folder holds.

    Attributes:
      sources: one for each video id, sorted by it.
      annotations: the file, or the folder of files, with the split and the ground-truth captions, if there is one.
      problems: files that were found but cannot be used, or not fully.
      transcripts: one file with the transcripts of the sources that have none of their own, if there is one.
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
    """Lists a folder.

    Args:
      folder: where the videos are, perhaps with transcripts beside them and ``annotations.json``.
      transcripts: the folder in which the other videos' transcripts lie, named alike, or one file with all of them.
      annotations: a file or a folder to use instead of ``annotations.json``.
      features: to look for files of features (see `precomputed`) instead of videos.

    Raises:
      FileNotFoundError: if one that is named does not exist, or the folder holds no video.
    """
    for option, path in (("transcripts", transcripts), ("annotations", annotations)):
        if path and not path.exists():
            raise FileNotFoundError(f"there is no {path}; name a file or a folder with --config.data.{option}")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; name one with --config.data.videos")
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
    """A problem for each video without a transcript, but a single one for a collection without any."""
    reason = "without a transcript: used for video-only examples"
    silent = [source for source in sources if not source.transcript]
    if len(silent) == len(sources) > 1:
        return [Problem(f"all {len(sources):,} videos", "scan", reason)]
    return [Problem(_name(source.video, folder), "scan", f"video {reason}") for source in silent]


def _find(
    folder: pathlib.Path, features: bool
) -> tuple[list[pathlib.Path], list[pathlib.Path], dict[pathlib.Path, str]]:
    """The videos, the transcripts, and why files cannot be used. Raises FileNotFoundError if there is no video."""
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
    """Why files of features cannot be used, as far as their headers show."""
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
    """The best transcript of each video id, of those directly in a folder; it may hold those of other videos too."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TRANSCRIPT_SUFFIXES]
    usable = [path for path in found if not _flaw(path, folder)]
    matched, _ = _match([folder / video.name for video in videos], usable)
    return {video.name: transcript for video, transcript in matched.items()}


def transcript_beside(video: pathlib.Path) -> pathlib.Path | None:
    """The transcript that `scan` would find in the folder of a video or of a file of features."""
    of_features = video.suffix.lower() in feature_files.SUFFIXES
    suffixes = feature_files.SUFFIXES if of_features else VIDEO_SUFFIXES
    beside = sorted(video.parent.iterdir())
    files = [path for path in beside if path.suffix.lower() in (*suffixes, *TRANSCRIPT_SUFFIXES)]
    usable = [path for path in files if not _flaw(path, video.parent)]
    transcripts = [path for path in usable if path.suffix.lower() in TRANSCRIPT_SUFFIXES]
    matched, _ = _match([video, *(path for path in usable if path not in transcripts)], transcripts)
    return matched.get(video.with_suffix(""))


def fingerprint(paths: Iterable[pathlib.Path | None]) -> str:
    """A hash of names, sizes and times of change: earlier work on the files holds as long as it stays the same."""
    stats = [(path.name, path.stat()) for path in paths if path is not None]
    return digest([(name, found.st_size, found.st_mtime_ns) for name, found in stats])


def digest(content: Any) -> str:
    """Twelve hexadecimal digits that tell apart values of JSON."""
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
        # Links last, so that what is reached in several ways goes by its own name.
        shown = [name for name in subfolders if not name.startswith(".")]
        subfolders[:] = sorted(shown, key=lambda name: ((parent / name).is_symlink(), name))
        yield from (parent / name for name in names if not name.startswith("."))


def _flaw(path: pathlib.Path, folder: pathlib.Path) -> str | None:
    """Why a file cannot be used, if that shows without opening it."""
    try:
        str(path.relative_to(folder)).encode()
        mode = path.stat().st_mode
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    except FileNotFoundError:
        return "a link to nothing"
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
    """The best transcript of each video (both named by the video's path without suffix), and those of no video."""
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
    """The name in reports, with bytes that are not UTF-8 escaped."""
    return os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
