"""Scores of rankings: of retrieval and of recommendation.

Q queries (or viewers) rank M items by scores float [Q, M]; bool [Q, M] says which items are right. Items that are no
candidates, such as those a viewer has watched, have the score -inf and are not right. Equal scores are no order: where
a metric is linear in it, as recall, nDCG and the mean rank, the expectation over all orders of equal items is taken.
"""

import numpy as np


def first_ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Float64 [Q]: the rank, from 1, of the first right item; among equal ones the mean over their orders.

    Of e equal items, r of which are right, the first right one has the mean place (e + 1) / (r + 1). NaN for a query to
    which nothing is right.
    """
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    above = (scores > best).sum(axis=1)
    equal, right_too = (scores == best).sum(axis=1), (right & (scores == best)).sum(axis=1)
    return np.where(right.any(axis=1), above + (equal + 1) / (right_too + 1), np.nan)


def retrieval(scores: np.ndarray, right: np.ndarray, tops: tuple[int, ...] = (1, 5, 10)) -> dict[str, float]:
    """``recall_at_k``, the share of queries whose first right item is among the first k; the median and the mean rank.

    Queries to which nothing is right do not count.
    """
    ranks = first_ranks(scores, right)
    ranks = ranks[~np.isnan(ranks)]
    found = {f"recall_at_{top}": float((ranks <= top).mean()) for top in tops}
    return {**found, "median_rank": float(np.median(ranks)), "mean_rank": float(ranks.mean())}


def gains_by_place(scores: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Float64 [Q, M]: the expected gain at each place of the ranking, for gains float [Q, M] of the items."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked, sorted_gains = (np.take_along_axis(values, order, axis=1) for values in (scores, gains))
    result = np.empty(scores.shape)
    for row, (values, of_items) in enumerate(zip(ranked, sorted_gains, strict=True)):
        starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
        sizes = np.diff(np.append(starts, len(values)))
        result[row] = np.repeat(np.add.reduceat(of_items, starts) / sizes, sizes)
    return result


def recall(scores: np.ndarray, right: np.ndarray, top: int) -> np.ndarray:
    """Float64 [Q]: the expected share of right items among the first `top`; NaN where nothing is right."""
    found = gains_by_place(scores, right.astype(np.float64))[:, :top].sum(axis=1)
    return _share(found, right.sum(axis=1))


def ndcg(scores: np.ndarray, gains: np.ndarray, top: int) -> np.ndarray:
    """Float64 [Q]: the expected discounted gain of the first `top`, of the largest possible (Järvelin et al. 2002).

    Gains [Q, M] are at least 0, and may be graded; the discount of place p, from 1, is ``1 / log2(p + 1)``. NaN where
    all are 0.
    """
    gains = gains.astype(np.float64)
    discounts = 1 / np.log2(np.arange(2, min(top, scores.shape[1]) + 2))
    found = gains_by_place(scores, gains)[:, :top] @ discounts
    best = -np.sort(-gains, axis=1)[:, :top] @ discounts
    return _share(found, best)


def average_precision(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Float64 [Q]: the mean of the precisions at the right items; of equal items, the one with the smaller index first.

    NaN where nothing is right.
    """
    ranked = np.take_along_axis(right, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    precision = np.cumsum(ranked, axis=1) / np.arange(1, ranked.shape[1] + 1)
    return _share((precision * ranked).sum(axis=1), ranked.sum(axis=1))


def reciprocal_rank(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Float64 [Q]: 1 / rank of the first right item; of equal items, the one with the smaller index first.

    NaN where nothing is right.
    """
    ranked = np.take_along_axis(right, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    return np.where(right.any(axis=1), 1 / (ranked.argmax(axis=1) + 1), np.nan)


def coverage(scores: np.ndarray, top: int) -> float:
    """The share of all items that are among the first `top` of any query; of equal items as `reciprocal_rank` does."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    reached = np.take_along_axis(scores, best, axis=1) > -np.inf
    return len(np.unique(best[reached])) / scores.shape[1]


def recommendation(scores: np.ndarray, right: np.ndarray, top: int = 10) -> dict[str, float]:
    """Means over the viewers to whom something is right, and the coverage of the catalogue."""
    values = {
        f"recall_at_{top}": recall(scores, right, top),
        f"ndcg_at_{top}": ndcg(scores, right, top),
        "map": average_precision(scores, right),
        "mrr": reciprocal_rank(scores, right),
    }
    return {name: float(np.nanmean(each)) for name, each in values.items()} | {
        f"coverage_at_{top}": coverage(scores, top)
    }


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
