"""Metrics of moments that a text describes and of a video's highlights, by the protocol of QVHighlights.

Lei et al., "QVHighlights: Detecting moments and highlights in videos via natural language queries", NeurIPS 2021.
A window is (start, end) in seconds; windows are float [n, 2].
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from videobert_jax.metrics.labels import precision_recall
from videobert_jax.metrics.mean import Mean, checked_scores

IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALL_IOUS = (0.5, 0.7)
MAX_WINDOWS = 10  # predicted for a query, that count
LENGTHS: Mapping[str, tuple[float, float]] = {"short": (0, 10), "middle": (10, 30), "long": (30, 150)}  # (low, high]
RATINGS = {"fair": 2, "good": 3, "very_good": 4}  # the lowest of a highlight, of 0 to 4


@dataclasses.dataclass(frozen=True, eq=False)
class Query:
    """The windows predicted for a query, the surest first, and its true ones, at least one: float [n, 2] each.

    Raises ValueError for no true window, and for a window that is not a start and an end in this order.
    """

    predicted: np.ndarray
    truth: np.ndarray

    def __post_init__(self) -> None:
        if len(self.truth) == 0:
            raise ValueError("a query has no true window, so that nothing can be found; leave it out")
        for windows in (self.predicted, self.truth):
            if windows.ndim != 2 or windows.shape[1] != 2:
                raise ValueError(f"windows have the shape {windows.shape}, not [n, 2]: a start and an end each")
            wrong = windows[~(windows[:, 0] <= windows[:, 1])]
            if len(wrong):
                raise ValueError(f"window {wrong[0].tolist()} does not start before it ends; check the predictions")


def temporal_iou(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of windows [n, 2] and [m, 2], float64 [n, m]; 0 for two windows without length."""
    starts, ends = np.moveaxis(some[:, None].astype(np.float64), -1, 0)
    other_starts, other_ends = np.moveaxis(others[None].astype(np.float64), -1, 0)
    shared = np.maximum(np.minimum(ends, other_ends) - np.maximum(starts, other_starts), 0.0)
    union = (ends - starts) + (other_ends - other_starts) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def recall_at_1(query: Query, iou: float) -> bool:
    """Whether the first predicted window has at least this IoU with any true one; False if none is predicted."""
    return bool((temporal_iou(query.predicted[:1], query.truth) >= iou).any())


def average_precision(query: Query, iou: float) -> float:
    """The interpolated average precision of the first `MAX_WINDOWS` predicted windows; 0 if none is predicted.

    Each predicted window, in turn, is matched with the true one of the highest IoU among those that have at least
    `iou` and are not matched; of equal ones, with the first. The precision at a recall is the best one at this recall
    or a higher one.
    """
    table = temporal_iou(query.predicted[:MAX_WINDOWS], query.truth)
    free = np.ones(len(query.truth), bool)
    hits = np.zeros(len(table), bool)
    for place, row in enumerate(table):
        candidates = np.where(free & (row >= iou), row, -1.0)
        best = int(candidates.argmax())
        if candidates[best] >= 0:
            hits[place], free[best] = True, False
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(interpolated[hits].sum() / len(query.truth))


def moment_retrieval(queries: Sequence[Query]) -> dict[str, Mean]:
    """Means over queries, by name; those of parts of a data set add up.

    Returns:
      ``r1_at_I`` (R1@IoU) for the `RECALL_IOUS`, ``map_at_I`` for all `IOUS`, and ``map``, their mean;
      ``map_short``, ``map_middle``, ``map_long``: `map` over the queries that have true windows of such lengths
      (`LENGTHS`), with these alone as truth and all predictions, as in the published evaluation.
    """
    result = {f"r1_at_{iou}": Mean.of([recall_at_1(query, iou) for query in queries]) for iou in RECALL_IOUS}
    precisions = _average_precisions(queries)
    result |= {"map": Mean.of(precisions.mean(axis=1))}
    result |= {f"map_at_{iou}": Mean.of(column) for iou, column in zip(IOUS, precisions.T, strict=True)}
    for name, (low, high) in LENGTHS.items():
        some = []
        for query in queries:
            lengths = query.truth[:, 1] - query.truth[:, 0]
            if (chosen := (lengths > low) & (lengths <= high)).any():
                some.append(Query(query.predicted, query.truth[chosen]))
        result[f"map_{name}"] = Mean.of(_average_precisions(some).mean(axis=1))
    return result


def _average_precisions(queries: Sequence[Query]) -> np.ndarray:
    """Float64 [queries, IOUS]."""
    values = [[average_precision(query, iou) for iou in IOUS] for query in queries]
    return np.array(values, np.float64).reshape(len(queries), len(IOUS))


def highlight_detection(scores: Sequence[np.ndarray], ratings: Sequence[np.ndarray], lowest: int) -> dict[str, Mean]:
    """``map`` and ``hit_at_1`` over videos; those of parts of a data set add up.

    A clip is a highlight, for each rater, if that rater's rating is at least `lowest`.

    Args:
      scores: of the clips of each video, float [clips]. Clips beyond the rated ones do not count for `map`, those that
        are missing have the score 0. Raises ValueError for a NaN.
      ratings: of the same videos, float [clips, raters].
      lowest: one of `RATINGS`.

    Returns:
      ``map``: the mean over raters and videos of the interpolated precision, averaged over the thresholds that find
      further highlights; equal scores are one threshold. It is 0 if a rater sees no highlight, 1 if every clip is one.
      ``hit_at_1``: whether the clip with the highest score, of equal ones the first, is a highlight for any rater; a
      clip beyond the rated ones is none.
    """
    precisions, hits = [], []
    for found, rated in zip(scores, ratings, strict=True):
        found, highlight = checked_scores(found), rated >= lowest
        best = int(np.argmax(found))
        hits.append(best < len(highlight) and bool(highlight[best].any()))
        known = np.zeros(len(rated))
        known[: len(found)] = found[: len(rated)]
        precisions.append(np.mean([_highlight_precision(known, column) for column in highlight.T]))
    return {"map": Mean.of(precisions), "hit_at_1": Mean.of(hits)}


def _highlight_precision(scores: np.ndarray, highlight: np.ndarray) -> float:
    if highlight.all() or not highlight.any():
        return float(highlight.all())
    _, precision, recall = precision_recall(scores, highlight)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(interpolated[np.diff(recall, prepend=0.0) > 0].mean())
