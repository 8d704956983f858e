"""Metrics of rankings: retrieval and recommendation.

Q queries (or users) rank M items by scores [Q, M], the highest first; bool [Q, M] says which items are relevant.

Ties: items with equal scores are ordered at random, and a metric is its expectation over all their orders, as
scikit-learn's `ndcg_score` has it (McSherry and Najork 2008 for the others). A model that says the same of all items is
thus as good as chance. trec_eval and ir-measures break ties by the names of the items instead. `retrieval` alone
differs: there each query has its mean rank.

Items that are no candidates, such as those a user has watched, have the score -inf; `exclude` sets it. A query without
a relevant item is NaN and does not count in means. All functions raise ValueError if a score is NaN, or if a relevant
item has the score -inf. They hold some arrays [Q, M] of float64 at a time: give them part of the queries if Q * M is
large, and add.
"""

from typing import NamedTuple

import numpy as np

from videobert_jax.metrics.mean import Mean, checked_scores


def exclude(scores: np.ndarray, relevant: np.ndarray, watched: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and relevance [Q, M] without the items of the mask `watched`, bool [Q, M]."""
    return np.where(watched, -np.inf, scores), relevant & ~watched


def _checked(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    scores = checked_scores(scores)
    if lost := int(((scores == -np.inf) & (relevant != 0)).sum()):
        raise ValueError(
            f"{lost} relevant items have the score -inf, which is for items that are no candidates; make both with"
            " `exclude`"
        )
    return scores


class _Ranking(NamedTuple):
    """Items by falling score, in groups of equal ones; int [Q, M] each.

    Attributes:
      order: the item at each place.
      start: places before its group.
      size: items in its group.
    """

    order: np.ndarray
    start: np.ndarray
    size: np.ndarray

    def sums(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """At each place, the sums of values [Q, M] of the items over the groups before, and over its own group."""
        ranked = np.take_along_axis(values, self.order, axis=1)
        running = np.concatenate([np.zeros((len(ranked), 1), ranked.dtype), np.cumsum(ranked, axis=1)], axis=1)
        before = np.take_along_axis(running, self.start, axis=1)
        return before, np.take_along_axis(running, self.start + self.size, axis=1) - before


def _rank(scores: np.ndarray) -> _Ranking:
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    items = scores.shape[1]
    border = np.ones((len(scores), items + 1), bool)  # before each place, and after the last
    border[:, 1:-1] = ranked[:, 1:] != ranked[:, :-1]
    places = np.arange(items + 1)
    start = np.maximum.accumulate(np.where(border, places, 0), axis=1)[:, :-1]
    end = np.minimum.accumulate(np.where(border, places, items)[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return _Ranking(order, start, end - start)


def first_ranks(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Float64 [Q]: the rank, from 1, of the first relevant item.

    Of e equal items of which r are relevant, the first relevant one has the mean rank (e + 1) / (r + 1) among them.
    """
    scores = _checked(scores, relevant)
    best = np.max(np.where(relevant, scores, -np.inf), axis=1, keepdims=True, initial=-np.inf)
    above, tied = (scores > best).sum(axis=1), scores == best
    ranks = above + (tied.sum(axis=1) + 1) / ((relevant & tied).sum(axis=1) + 1)
    return np.where(relevant.any(axis=1), ranks, np.nan)


def retrieval(scores: np.ndarray, relevant: np.ndarray, tops: tuple[int, ...] = (1, 5, 10)) -> dict[str, float]:
    """``recall_at_k`` (R@k), ``median_rank`` (MedR) and ``mean_rank`` (MeanR) of the first relevant item.

    R@k is the share of queries whose rank by `first_ranks` is at most k: a query that finds its item only by the order
    of equal scores has not found it. NaN if no query has a relevant item. To add up batches, join their `first_ranks`.
    """
    ranks = first_ranks(scores, relevant)
    ranks = ranks[~np.isnan(ranks)]
    found = {f"recall_at_{top}": Mean.of(ranks <= top).value for top in tops}
    median = float(np.median(ranks)) if len(ranks) else float("nan")
    return {**found, "median_rank": median, "mean_rank": Mean.of(ranks).value}


def recall(scores: np.ndarray, relevant: np.ndarray, top: int) -> np.ndarray:
    """Float64 [Q]: the share of the relevant items that are among the first `top`."""
    scores = _checked(scores, relevant)
    return _ratio(_gains_by_place(scores, relevant)[:, :top].sum(axis=1), relevant.sum(axis=1))


def ndcg(scores: np.ndarray, gains: np.ndarray, top: int) -> np.ndarray:
    """Float64 [Q]: the discounted cumulative gain of the first `top`, over the largest possible.

    The gain of an item counts as it is (Järvelin and Kekäläinen 2002, not 2 ** gain - 1), at place p, from 1, divided
    by ``log2(p + 1)``. Raises ValueError for a negative gain.

    Args:
      scores: [Q, M].
      gains: [Q, M], at least 0; bool or graded. A query whose gains are all 0 has no relevant item.
      top: places that count.
    """
    scores, gains = _checked(scores, gains), np.asarray(gains, np.float64)
    if not (gains >= 0).all():
        raise ValueError(f"a gain is {gains[~(gains >= 0)][0]}; nDCG needs gains of at least 0")
    discounts = 1 / np.log2(np.arange(2, min(top, scores.shape[1]) + 2))
    best = -np.sort(-gains, axis=1)[:, :top] @ discounts
    return _ratio(_gains_by_place(scores, gains)[:, :top] @ discounts, best)


def _gains_by_place(scores: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Float64 [Q, M]: the expected gain at each place."""
    ranking = _rank(scores)
    return ranking.sums(gains.astype(np.float64))[1] / ranking.size


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Float64 [Q]: the mean of the precisions at the places of the relevant items; its mean over queries is MAP.

    At the j-th place, from 0, of a group of e equal items, r of them relevant, stands a relevant item with probability
    r / e; then j * (r - 1) / (e - 1) relevant ones are expected before it in the group.
    """
    ranking = _rank(_checked(scores, relevant))
    before, own = ranking.sums(relevant.astype(np.float64))
    place = np.arange(scores.shape[1])
    within = (place - ranking.start) * (own - 1) / np.maximum(ranking.size - 1, 1)
    precision = own / ranking.size * (before + within + 1) / (place + 1)
    return _ratio(precision.sum(axis=1), relevant.sum(axis=1))


def _misses(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Float64 [Q, M + 1]: the probability that none of the first 0, 1, ..., M items is relevant."""
    ranking = _rank(_checked(scores, relevant))
    _, own = ranking.sums(relevant.astype(np.int64))
    left = ranking.size - (np.arange(scores.shape[1]) - ranking.start)  # in the group, from this place on
    misses = np.cumprod((left - own) / left, axis=1)  # stays 0 from where relevant ones alone are left
    return np.concatenate([np.ones((len(misses), 1)), misses], axis=1)


def hit_rate(scores: np.ndarray, relevant: np.ndarray, top: int) -> np.ndarray:
    """Float64 [Q]: whether any relevant item is among the first `top`."""
    misses = _misses(scores, relevant)
    return np.where(relevant.any(axis=1), 1 - misses[:, min(top, scores.shape[1])], np.nan)


def reciprocal_rank(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Float64 [Q]: 1 / the rank, from 1, of the first relevant item; its mean over queries is MRR."""
    first = -np.diff(_misses(scores, relevant), axis=1)  # the probability that the first one stands there
    return np.where(relevant.any(axis=1), first @ (1 / np.arange(1, scores.shape[1] + 1)), np.nan)


def unreached(scores: np.ndarray, top: int) -> np.ndarray:
    """Float64 [M]: the probability that an item is among the first `top` of no query; those of batches multiply.

    Equal items of different queries are ordered independently.
    """
    scores = checked_scores(scores)
    ranking = _rank(scores)
    reached = np.empty(scores.shape)
    np.put_along_axis(reached, ranking.order, np.clip((top - ranking.start) / ranking.size, 0.0, 1.0), axis=1)
    return np.prod(1 - np.where(scores == -np.inf, 0.0, reached), axis=0)


def coverage(scores: np.ndarray, top: int) -> float:
    """The share of all items that are among the first `top` of any query (catalogue coverage)."""
    return float(1 - unreached(scores, top).mean())


def recommendation(scores: np.ndarray, relevant: np.ndarray, top: int = 10) -> dict[str, float]:
    """The means over the users who have a relevant item, and the coverage of the catalogue over all users."""
    values = {
        f"recall_at_{top}": recall(scores, relevant, top),
        f"ndcg_at_{top}": ndcg(scores, relevant, top),
        f"hit_rate_at_{top}": hit_rate(scores, relevant, top),
        "map": average_precision(scores, relevant),
        "mrr": reciprocal_rank(scores, relevant),
    }
    means = {name: Mean.of(each).value for name, each in values.items()}
    return {**means, f"coverage_at_{top}": coverage(scores, top)}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
