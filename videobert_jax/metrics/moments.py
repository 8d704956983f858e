"""Scores of moments of a video that a text describes, by QVHighlights' protocol (Lei et al. 2021, appendix).

A window is [start, end] in seconds; windows are float [n, 2]. A query has windows that are right, at least one, and
windows that were found, the surest first.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from videobert_jax.metrics.labels import precision_recall

OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # at least so much, for a window to be right
MOST = 10  # windows of a query that count
LENGTHS: Mapping[str, tuple[float, float]] = {"short": (0, 10), "middle": (10, 30), "long": (30, 150)}  # (low, high]
RAISED = (2, 3, 4)  # the least rating of a clip that is a highlight: fair, good, very good


@dataclasses.dataclass(frozen=True, eq=False)
class Query:
    """A query: the windows that were found, the surest first, and those that are right, at least one."""

    found: np.ndarray
    right: np.ndarray


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 [n, m], of windows [n, 2] and [m, 2]; 0 for two empty ones."""
    one, other = one.reshape(-1, 1, 2).astype(np.float64), other.reshape(1, -1, 2).astype(np.float64)
    shared = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    shared = np.maximum(shared, 0.0)
    union = one[..., 1] - one[..., 0] + other[..., 1] - other[..., 0] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def first_right(query: Query, least: float) -> bool:
    """Whether the first window found overlaps any that is right by at least so much (R1@IoU)."""
    return bool(len(query.found)) and float(overlaps(query.found[:1], query.right).max()) >= least


def average_precision(query: Query, least: float) -> float:
    """The area under the interpolated precision by recall of the first `MOST` windows found.

    A window is right if it overlaps one that is right, and that no window before it has taken, by at least `least`; of
    several it takes the one that it overlaps most.
    """
    table = overlaps(query.found[:MOST], query.right)
    free = np.ones(len(query.right), bool)
    hits = np.zeros(len(table), bool)
    for place, row in enumerate(table):
        best = np.where(free & (row >= least), row, -1.0)
        if best.max() >= 0:
            hits[place] = True
            free[int(best.argmax())] = False
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(interpolated[hits].sum() / len(query.right))


def moments(queries: Sequence[Query]) -> dict[str, float]:
    """``r1_at_0.5``, ``r1_at_0.7``, and ``map``, its values at overlaps of 0.5 and 0.75, and by length of the windows.

    By length, a query counts with those of its right windows that are so long, and all that were found; NaN if there is
    none.
    """
    result = {f"r1_at_{least}": float(np.mean([first_right(one, least) for one in queries])) for least in (0.5, 0.7)}
    precisions = np.array([[average_precision(one, least) for least in OVERLAPS] for one in queries])
    result |= {"map": float(precisions.mean())}
    result |= {f"map_at_{least}": float(precisions[:, OVERLAPS.index(least)].mean()) for least in (0.5, 0.75)}
    for name, (low, high) in LENGTHS.items():
        some = []
        for one in queries:
            lengths = one.right[:, 1] - one.right[:, 0]
            if (chosen := (lengths > low) & (lengths <= high)).any():
                some.append(Query(one.found, one.right[chosen]))
        values = [average_precision(one, least) for one in some for least in OVERLAPS]
        result[f"map_{name}"] = float(np.mean(values)) if values else math.nan
    return result


def highlights(scores: Sequence[np.ndarray], ratings: Sequence[np.ndarray], least: float) -> dict[str, float]:
    """``map`` and ``hit_at_1`` of n videos' highlights.

    A clip is a highlight, by each of three people, if that person's rating is at least `least`.

    Args:
      scores: of the clips of each video, float [clips]; those without ratings do not count, those missing have 0.
      ratings: of the same videos, float [clips, people], from 0 to 4.
      least: of `RAISED`.

    Returns:
      ``map``: over videos and people, the mean of the interpolated precisions at each threshold that finds another
      highlight; 0 if a person sees none, 1 if all are. ``hit_at_1``: how often the clip with the highest score, of
      equal ones the first, is a highlight for anyone.
    """
    precisions, hits = [], []
    for found, rated in zip(scores, ratings, strict=True):
        told = np.zeros(len(rated))
        told[: len(found)] = found[: len(rated)]
        true = rated >= least
        best = int(np.argmax(found))
        hits.append(best < len(true) and bool(true[best].any()))
        precisions += [_highlight_precision(told, one) for one in true.T]
    return {"map": float(np.mean(precisions)), "hit_at_1": float(np.mean(hits))}


def _highlight_precision(scores: np.ndarray, true: np.ndarray) -> float:
    if true.all() or not true.any():
        return float(true.all())
    _, precision, recall = precision_recall(scores, true)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(interpolated[np.diff(recall, prepend=0.0) > 0].mean())
