"""Captions in CSV files; the first line names the columns.

A row whose caption cannot be used is left out with a `Problem`.

* YouCook2 for retrieval, ``end,start,task,text,video_id``: all rows are held out.
* MSR-VTT for retrieval, split 1k-A, ``key,vid_key,video_id,sentence``: all rows are held out. A sentence describes the
  whole clip, whose length is not given.
* Kinetics, ``label,youtube_id,time_start,time_end,split[,is_cc]``. The videos are clips named
  ``<youtube_id>_<start:06d>_<end:06d>``; the label describes the whole clip. The test split, which may have no labels,
  is not used.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Set

from videobert_jax.errors import UnknownFormatError
from videobert_jax.formats.annotations import Caption, CollectedAnnotations, caption
from videobert_jax.formats.files import read_table

Row = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Table:
    """A kind of table: the columns that identify it, and functions that read a row."""

    name: str
    columns: frozenset[str]
    video_id: Callable[[Row], str]  # raises ValueError
    split: Callable[[Row], str]
    caption: Callable[[Row], Caption]  # raises ValueError


def _held_out(row: Row) -> str:
    return "validation"


def _kinetics_clip(row: Row) -> str:
    start, end = float(row["time_start"]), float(row["time_end"])
    return f"{row['youtube_id']}_{start:06.0f}_{end:06.0f}"


def _kinetics_caption(row: Row) -> Caption:
    return caption(row["label"], (0.0, float(row["time_end"]) - float(row["time_start"])))


TABLES = (
    Table(
        "YouCook2's for retrieval",
        frozenset({"end", "start", "text", "video_id"}),
        video_id=lambda row: row["video_id"],
        split=_held_out,
        caption=lambda row: caption(row["text"], (row["start"], row["end"])),
    ),
    Table(
        "MSR-VTT's 1k-A",
        frozenset({"vid_key", "video_id", "sentence"}),
        video_id=lambda row: row["video_id"],
        split=_held_out,
        caption=lambda row: caption(row["sentence"], None),
    ),
    Table(
        "Kinetics'",
        frozenset({"youtube_id", "time_start", "time_end", "split"}),
        video_id=_kinetics_clip,
        split=lambda row: row["split"],
        caption=_kinetics_caption,
    ),
)


def from_table(path: pathlib.Path, video_ids: Set[str]) -> CollectedAnnotations:
    """Collects the annotations of `video_ids`. Raises UnknownFormatError for an unknown kind of table."""
    found = CollectedAnnotations()
    columns, rows = read_table(path)
    kind = next((table for table in TABLES if table.columns <= columns), None)
    if kind is None:
        kinds, names = ", ".join(table.name for table in TABLES), ", ".join(sorted(columns))[:200]
        raise UnknownFormatError(path, f"is not a table of {kinds}: its columns are {names}")
    for line, row in rows:
        place = f"{path.name}, line {line:,}"
        try:
            video_id = kind.video_id(row)
        except (ValueError, OverflowError) as error:
            found.refuse(place, f"unusable: {error!r}")
            continue
        if video_id in video_ids:
            found.place(video_id, kind.split(row))
            if found.splits[video_id]:
                found.add(video_id, place, functools.partial(kind.caption, row))
    return found
