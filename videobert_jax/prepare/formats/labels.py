"""Kinetics' tables of what is done when: ``label,youtube_id,time_start,time_end,split[,is_cc]``.

The table of the test split may lack the label. Clips are cut out of the videos and called
``<youtube_id>_<start:06d>_<end:06d>.mp4``. A row that lacks its video or a label that the table has, or whose times are
not 0 <= start < end, is left out with a `Problem`.
"""

import csv
import dataclasses
import pathlib

from videobert_jax.prepare.formats import FormatError
from videobert_jax.prepare.formats.intervals import moment
from videobert_jax.prepare.report import Problem

COLUMNS = ("youtube_id", "time_start", "time_end")


@dataclasses.dataclass(frozen=True)
class Label:
    """What is done between two moments of a YouTube video, in seconds; None where that is not published."""

    video_id: str
    label: str | None
    start: float
    end: float

    @property
    def clip(self) -> str:
        """The id of the clip's own file."""
        return f"{self.video_id}_{self.start:06.0f}_{self.end:06.0f}"


def read_kinetics(path: pathlib.Path) -> tuple[list[Label], list[Problem]]:
    """The labels of a table, in its order. Raises FormatError if it cannot be read or lacks a column."""
    labels, problems = [], []
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        try:
            columns = table.fieldnames or ()
            if lacking := [name for name in COLUMNS if name not in columns]:
                raise FormatError(f"{path}, line 1 lacks {', '.join(lacking)}; expected Kinetics' columns")
            for row in table:
                try:
                    labels.append(_label(row, "label" in columns))
                except (TypeError, ValueError) as error:
                    problems.append(Problem(f"{path}, line {table.line_num}", "labels", f"unusable: {error}"))
        except (csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"{path} cannot be read after line {table.line_num}: {error}; mend it") from error
    return labels, problems


def _label(row: dict[str, str | None], labelled: bool) -> Label:
    video_id, label = row["youtube_id"], row["label"] if labelled else None
    if not video_id or (labelled and not label):
        raise ValueError("it lacks its youtube_id or its label")
    start, end = moment(row["time_start"]), moment(row["time_end"])
    if not start < end:
        raise ValueError(f"it lasts from {start} to {end}, expected start < end")
    return Label(video_id, label, start, end)
