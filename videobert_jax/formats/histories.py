"""What viewers watched, as MicroLens has it: a CSV file ``user,item,timestamp``, perhaps with a column ``split``.

Without splits, the last video of each viewer is for testing and the one before it for validation (leave-one-out; Kang
and McAuley 2018). A row without user or item, with a time that is no number, or of an unknown split, is left out with a
`Problem`.
"""

import collections
import dataclasses
import math
import pathlib

from videobert_jax.errors import FormatError
from videobert_jax.formats.annotations import SPLITS
from videobert_jax.formats.files import read_table
from videobert_jax.formats.problems import Problem

COLUMNS = {"user", "item", "timestamp"}
LAST = ("test", "validation")  # of the last video of a viewer, and of the one before


@dataclasses.dataclass(frozen=True)
class Viewing:
    """A viewer watched a video at a time, in any unit; the split that it belongs to."""

    user: str
    video_id: str
    time: float
    split: str


def read_histories(path: pathlib.Path) -> tuple[dict[str, list[Viewing]], list[Problem]]:
    """Reads what each viewer watched, in order of time. Raises FormatError for a file that is no such table."""
    columns, rows = read_table(path)
    if not columns >= COLUMNS:
        raise FormatError(f"{path} has the columns {', '.join(sorted(columns))}; expected {', '.join(sorted(COLUMNS))}")
    found: dict[str, list[Viewing]] = collections.defaultdict(list)
    problems = []
    for line, row in rows:
        try:
            viewing = _viewing(row)
        except ValueError as error:
            problems.append(Problem(f"{path.name}, line {line:,}", "histories", f"unusable: {error}"))
            continue
        found[viewing.user].append(viewing)
    for viewings in found.values():
        viewings.sort(key=lambda one: one.time)
        if "split" not in columns:
            for place, split in zip((-1, -2), LAST, strict=True):
                if len(viewings) > -place:  # one is left to train on
                    viewings[place] = dataclasses.replace(viewings[place], split=split)
    return dict(found), problems


def _viewing(row: dict[str, str]) -> Viewing:
    user, item, time, split = row["user"].strip(), row["item"].strip(), float(row["timestamp"]), row.get("split", "")
    if not (user and item and math.isfinite(time)):
        raise ValueError(f"user, item and timestamp are {user!r}, {item!r} and {time}, expected two names and a time")
    if split and split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    return Viewing(user, item, time, SPLITS.get(split, "train"))
