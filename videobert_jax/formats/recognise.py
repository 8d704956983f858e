"""Recognises the format of annotation files by their content."""

import pathlib
from collections.abc import Collection, Set

from videobert_jax.errors import FormatError, UnknownFormatError
from videobert_jax.formats import captions
from videobert_jax.formats.annotations import Annotation, CollectedAnnotations, merged
from videobert_jax.formats.files import read_json
from videobert_jax.formats.problems import Problem
from videobert_jax.formats.tables import from_table


def annotation_files(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns the file itself, or the .json and .csv files directly in the folder, sorted."""
    if not path.is_dir():
        return [path]
    wanted = (file for file in path.iterdir() if file.suffix.lower() in (".json", ".csv") and file.is_file())
    return sorted(file for file in wanted if file.name[0] != ".")


def read_annotations(
    path: pathlib.Path, video_ids: Collection[str], key: str = "data.annotations"
) -> tuple[dict[str, Annotation], list[Problem]]:
    """Reads annotations of `video_ids` from a file or folder, in any format of `captions` (JSON) and `tables` (.csv).

    Files of other formats in a folder, such as lists of ids, are left out with a `Problem`. Raises FormatError if there
    is no file of a known format, or one is broken; `key` is that of the config that named the path.
    """
    files = annotation_files(path)
    wanted = frozenset(video_ids)
    found, problems = [], []
    for file in files:
        try:
            found.append(_gathered(file, wanted))
        except UnknownFormatError as error:
            if not path.is_dir():
                raise UnknownFormatError(file, error.reason, key) from None
            problems.append(Problem(file.name, "annotations", error.reason))
    if not found:
        reasons = "".join(f"; {problem.item} {problem.reason}" for problem in problems)
        raise FormatError(f"{path} holds no annotations{reasons}; name another with --config.{key}")
    annotations, flaws = merged(found)
    return annotations, [*problems, *flaws]


def _gathered(path: pathlib.Path, video_ids: Set[str]) -> CollectedAnnotations:
    if path.suffix.lower() == ".csv":
        return from_table(path, video_ids)
    content = read_json(path)
    if captions.is_youcook2(content):
        return captions.from_youcook2(content, video_ids)
    if captions.is_msrvtt(content):
        return captions.from_msrvtt(content, video_ids)
    if captions.is_activitynet(content):
        return captions.from_activitynet(content, path.name, video_ids)
    raise UnknownFormatError(path, "does not have the schema of YouCook2, MSR-VTT or ActivityNet Captions")
