"""The page of the applications: the table, and of each its worst test cases, with pictures, and its confusions."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from videobert_jax.applications.summary import COLUMNS, Row
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.segments import evenly_spaced
from videobert_jax.evaluation.report.page import environment

PICTURES = 4  # of a case
SHOWN = 8  # cases of an application
CONFUSIONS = 8


class Case(NamedTuple):
    """A test case.

    Attributes:
      lines: what it is: names and values.
      pictures: JPEG files.
    """

    lines: Mapping[str, str]
    pictures: Sequence[bytes]


class Section(NamedTuple):
    """An application on the page.

    Attributes:
      row: of the table.
      cases: the worst.
      confusions: the commonest (true class, predicted class, count).
    """

    row: Row
    cases: Sequence[Case]
    confusions: Sequence[tuple[str, str, int]]


def section(row: Row, details: Mapping[str, Any], prepared: Prepared) -> Section:
    """What an evaluator's details say, with pictures of the videos."""
    cases = [_case(one, prepared) for one in details.get("worst", [])[:SHOWN]]
    classes = list(details["classes"]) if "classes" in details else []
    return Section(row, cases, _confusions(classes, details.get("confusions", [])))


def render(sections: Sequence[Section], commands: Mapping[str, str]) -> str:
    """One self-contained HTML document. `commands` are those of the runs that are measured, by their names."""
    template = environment(__package__).get_template("applications.html")
    return template.render(sections=sections, commands=commands, columns=COLUMNS, getattr=getattr)


def _case(found: Mapping[str, Any], prepared: Prepared) -> Case:
    lines = {name.replace("_", " "): _text(value) for name, value in found.items() if name != "clips"}
    thumbnails = prepared.thumbnails(found["video"])
    start = int(found.get("start_clip", 0))
    stop = min(start + int(found.get("clips", len(thumbnails))), len(thumbnails))
    shown = start + evenly_spaced(max(stop - start, 1), PICTURES)
    return Case(lines, [thumbnails[index] for index in np.minimum(shown, len(thumbnails) - 1)])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _confusions(classes: Sequence[str], table: Sequence[Sequence[int]]) -> list[tuple[str, str, int]]:
    """The largest cells off the diagonal of a table of confusions, whose rows are the true classes."""
    cells = [
        (classes[true], classes[predicted], count)
        for true, row in enumerate(table)
        for predicted, count in enumerate(row)
        if true != predicted and count
    ]
    return sorted(cells, key=lambda cell: -cell[2])[:CONFUSIONS]
