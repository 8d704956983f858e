"""Metrics of rankings against trec_eval, over all orders of equal items, and against scikit-learn."""

import itertools
import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, R, Success, nDCG
from sklearn import metrics as reference

from videobert_jax.metrics import ranking

SEEDS = range(25)
Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
SAME: dict[Any, Metric] = {
    AP: ranking.average_precision,
    RR: ranking.reciprocal_rank,
    R @ 2: lambda scores, relevant: ranking.recall(scores, relevant, 2),
    Success @ 2: lambda scores, relevant: ranking.hit_rate(scores, relevant, 2),
    nDCG @ 2: lambda scores, relevant: ranking.ndcg(scores, relevant, 2),
    R @ 1000: lambda scores, relevant: ranking.recall(scores, relevant, 1000),
    Success @ 1000: lambda scores, relevant: ranking.hit_rate(scores, relevant, 1000),
    nDCG @ 1000: lambda scores, relevant: ranking.ndcg(scores, relevant, 1000),
}


def trec_eval(rankings: Iterable[np.ndarray], relevances: Iterable[np.ndarray]) -> dict[Any, np.ndarray]:
    """By measure, its value for each ranking: the numbers of the items, the best first, and their relevance [M]."""
    run, judged, count = [], [], 0
    for name, (items, relevance) in enumerate(zip(rankings, relevances, strict=True)):
        run += [ir_measures.ScoredDoc(str(name), str(item), -float(place)) for place, item in enumerate(items)]
        judged += [ir_measures.Qrel(str(name), str(item), int(value)) for item, value in enumerate(relevance)]
        count += 1
    found: dict[Any, np.ndarray] = {measure: np.full(count, np.nan) for measure in SAME}
    for one in ir_measures.iter_calc(list(SAME), judged, run):
        found[one.measure][int(one.query_id)] = one.value
    return found


def random_ranking(seed: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Few distinct scores, so that most are tied; sometimes one query or item, or nothing that is relevant."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 12)), int(rng.integers(1, most + 1))
    return rng.integers(0, rng.integers(1, 5), shape) / 4, rng.random(shape) < rng.choice([0.1, 0.4, 0.9])


@pytest.mark.parametrize("seed", SEEDS)
def test_ties_count_as_the_mean_over_all_orders(seed: int) -> None:
    scores, relevant = random_ranking(seed, most=5)
    scores, relevant = scores[0], relevant[0]
    if not relevant.any():
        relevant[seed % len(relevant)] = True
    orders = [np.array(order) for order in itertools.permutations(range(len(scores)))]
    rankings = [order[np.argsort(-scores[order], kind="stable")] for order in orders]
    found = trec_eval(rankings, [relevant] * len(orders))
    for measure, ours in SAME.items():
        assert ours(scores[None], relevant[None])[0] == pytest.approx(found[measure].mean(), abs=1e-9), str(measure)
    first = np.mean([1 + np.flatnonzero(relevant[order])[0] for order in rankings])
    assert ranking.first_ranks(scores[None], relevant[None])[0] == pytest.approx(first, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_ties_all_is_trec_evals(seed: int) -> None:
    _, relevant = random_ranking(seed, most=60)
    scores = np.random.default_rng(seed).normal(size=relevant.shape)
    found = trec_eval(np.argsort(-scores, axis=1), relevant)
    some = relevant.any(axis=1)
    for measure, ours in SAME.items():
        mine = ours(scores, relevant)
        np.testing.assert_array_equal(np.isnan(mine), ~some)
        np.testing.assert_allclose(mine[some], found[measure][some], atol=1e-9, err_msg=str(measure))
    first = ranking.first_ranks(scores, relevant)
    np.testing.assert_allclose(1 / first[some], found[RR][some], atol=1e-9)
    assert np.isnan(first[~some]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_excluded_items_are_as_if_never_ranked_nor_judged(seed: int) -> None:
    scores, relevant = random_ranking(seed, most=60)
    rng = np.random.default_rng(seed)
    scores, watched = rng.normal(size=scores.shape), rng.random(scores.shape) < 0.5
    without = ranking.exclude(scores, relevant, watched)
    orders = [order[~out[order]] for order, out in zip(np.argsort(-scores, axis=1), watched, strict=True)]
    found = trec_eval(orders, relevant & ~watched)
    some = (relevant & ~watched).any(axis=1)
    for measure, ours in SAME.items():
        np.testing.assert_allclose(ours(*without)[some], found[measure][some], atol=1e-9, err_msg=str(measure))


@pytest.mark.parametrize("seed", SEEDS)
def test_ndcg_of_graded_gains_is_scikit_learns(seed: int) -> None:
    scores, _ = random_ranking(seed, most=30)
    scores = np.concatenate([scores, scores[:, :1]], axis=1)  # scikit-learn wants two items
    gains = np.random.default_rng(seed + 1).integers(0, 4, scores.shape)
    for top in (1, 5, 100):
        mine = ranking.ndcg(scores, gains, top)
        np.testing.assert_array_equal(np.isnan(mine), ~gains.any(axis=1))
        for row in np.flatnonzero(gains.any(axis=1)):
            theirs = reference.ndcg_score(gains[row : row + 1], scores[row : row + 1], k=top)
            assert mine[row] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_coverage_counts_all_orders_of_each_query(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, items, top = int(rng.integers(1, 3)), int(rng.integers(1, 5)), int(rng.integers(1, 4))
    scores = rng.integers(0, 3, (queries, items)).astype(float)
    orders = [np.array(order) for order in itertools.permutations(range(items))]
    by_query = [[order[np.argsort(-row[order], kind="stable")][:top] for order in orders] for row in scores]
    covered = [len(np.unique(np.concatenate(chosen))) / items for chosen in itertools.product(*by_query)]
    assert ranking.coverage(scores, top) == pytest.approx(np.mean(covered), abs=1e-9)
    parts = ranking.unreached(scores[:1], top) * ranking.unreached(scores[1:], top)
    np.testing.assert_allclose(parts, ranking.unreached(scores, top), atol=1e-12)


def test_coverage_counts_candidates_alone() -> None:
    scores = np.array([[3.0, 2.0, -np.inf, -np.inf, -np.inf], [3.0, -np.inf, 2.0, 1.0, -np.inf]])
    assert ranking.coverage(scores, 2) == pytest.approx(3 / 5)
    assert ranking.coverage(scores, 4) == pytest.approx(4 / 5)


def test_retrieval_by_hand() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 2.0], [1.0, 1.0, 1.0], [3.0, 2.0, 1.0]])
    relevant = np.array([[True, False, False], [False, True, False], [False, False, True], [False, False, False]])
    assert ranking.first_ranks(scores, relevant)[:3].tolist() == [1.0, 2.5, 2.0]
    assert ranking.retrieval(scores, relevant, (1, 2)) == {
        "recall_at_1": pytest.approx(1 / 3),
        "recall_at_2": pytest.approx(2 / 3),
        "median_rank": 2.0,
        "mean_rank": pytest.approx(5.5 / 3),
    }


@pytest.mark.parametrize("place", [0, 17, 49])
def test_a_model_that_says_the_same_of_all_is_as_good_as_chance(place: int) -> None:
    """Wherever the relevant item stands."""
    scores, relevant = np.zeros((20, 50)), np.zeros((20, 50), bool)
    relevant[:, place] = True
    found = ranking.retrieval(scores, relevant)
    assert found == {"recall_at_1": 0, "recall_at_5": 0, "recall_at_10": 0, "median_rank": 25.5, "mean_rank": 25.5}
    assert ranking.recommendation(scores, relevant) == {
        "recall_at_10": pytest.approx(0.2),
        "ndcg_at_10": pytest.approx(sum(1 / math.log2(p + 1) for p in range(1, 11)) / 50),
        "hit_rate_at_10": pytest.approx(0.2),
        "map": pytest.approx(sum(1 / p for p in range(1, 51)) / 50),
        "mrr": pytest.approx(sum(1 / p for p in range(1, 51)) / 50),
        "coverage_at_10": pytest.approx(1 - 0.8**20),
    }


def test_nothing_relevant_is_not_a_number_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shape in ((3, 4), (1, 1), (0, 4), (2, 0)):
            found = ranking.retrieval(np.zeros(shape), np.zeros(shape, bool))
            assert all(math.isnan(value) for value in found.values())
        found = ranking.recommendation(np.zeros((3, 4)), np.zeros((3, 4), bool), 2)
        assert found.pop("coverage_at_2") == pytest.approx(1 - 0.5**3)
        assert all(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_scores_of_other_types_rank_alike(dtype: type) -> None:
    scores, relevant = np.array([[1, 0, 3]]), np.array([[False, True, False]])
    assert ranking.recommendation(scores.astype(dtype), relevant)["mrr"] == pytest.approx(1 / 3)


METRICS: dict[str, Metric] = {
    **{str(measure): metric for measure, metric in SAME.items()},
    "first": ranking.first_ranks,
}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_scores_that_are_no_numbers_do_not_rank_first(metric: Metric) -> None:
    relevant = np.eye(3, dtype=bool)
    scores = np.where(relevant, np.nan, 1.0)
    with pytest.raises(ValueError, match="3 of 9 scores are NaN"):
        metric(scores, relevant)
    with pytest.raises(ValueError, match="1 relevant items have the score -inf"):
        metric(np.array([[1.0, -np.inf]]), np.array([[True, True]]))
    with pytest.raises(ValueError, match="scores are NaN"):
        ranking.coverage(scores, 2)


def test_gains_are_not_negative() -> None:
    with pytest.raises(ValueError, match=r"a gain is -1\.0"):
        ranking.ndcg(np.zeros((1, 2)), np.array([[1, -1]]), 2)
