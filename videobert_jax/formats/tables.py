"""Captions in CSV files; the first line names the columns.

A row whose caption cannot be used, or of another split than an earlier row of its video, is left out with a `Problem`.

* YouCook2 for retrieval, ``end,start,task,text,video_id``: all rows are held out.
* MSR-VTT for retrieval, split 1k-A, ``key,vid_key,video_id,sentence``: all rows are held out. A sentence describes the
  whole clip, whose length is not given.
* Kinetics, ``label,youtube_id,time_start,time_end,split[,is_cc]``. The videos are clips named
  ``<youtube_id>_<start:06d>_<end:06d>``, and the label describes the whole clip; or they are whole videos named
  ``<youtube_id>``, and it describes those seconds of one.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Set

from videobert_jax.errors import UnknownFormatError
from videobert_jax.formats.annotations import SPLITS, Caption, CollectedAnnotations, caption
from videobert_jax.formats.files import read_table

Row = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Table:
    """A kind of table: the columns that identify it, and functions that read a row."""

    name: str
    columns: frozenset[str]
    video_ids: Callable[[Row], tuple[str, ...]]  # names that its video may have; raises ValueError
    split: Callable[[Row], str]
    caption: Callable[[Row, str], Caption]  # of a row for a video of this name; raises ValueError


def _held_out(row: Row) -> str:
    return "validation"


def _named(row: Row) -> tuple[str, ...]:
    return (row["video_id"],)


def _kinetics_names(row: Row) -> tuple[str, ...]:
    start, end = float(row["time_start"]), float(row["time_end"])
    return f"{row['youtube_id']}_{start:06.0f}_{end:06.0f}", row["youtube_id"]


def _kinetics_caption(row: Row, video_id: str) -> Caption:
    start, end = float(row["time_start"]), float(row["time_end"])
    return caption(row["label"], (start, end) if video_id == row["youtube_id"] else (0.0, end - start))


TABLES = (
    Table(
        "YouCook2's for retrieval",
        frozenset({"end", "start", "text", "video_id"}),
        video_ids=_named,
        split=_held_out,
        caption=lambda row, video_id: caption(row["text"], (row["start"], row["end"])),
    ),
    Table(
        "MSR-VTT's 1k-A",
        frozenset({"vid_key", "video_id", "sentence"}),
        video_ids=_named,
        split=_held_out,
        caption=lambda row, video_id: caption(row["sentence"], None),
    ),
    Table(
        "Kinetics'",
        frozenset({"youtube_id", "time_start", "time_end", "split"}),
        video_ids=_kinetics_names,
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
            possible = kind.video_ids(row)
        except (ValueError, OverflowError) as error:
            found.refuse(place, f"unusable: {error!r}")
            continue
        for video_id in sorted(video_ids & set(possible)):
            split = kind.split(row)
            found.place(video_id, split)
            if SPLITS.get(split) != found.splits[video_id]:
                found.refuse(place, f"unusable: split is {split!r}, but an earlier line has {video_id!r} in another")
            elif found.splits[video_id]:
                found.add(video_id, place, functools.partial(kind.caption, row, video_id))
    return found
