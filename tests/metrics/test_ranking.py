"""Scores of rankings against scikit-learn and trec_eval, on random inputs with ties."""

import itertools

import ir_measures
import numpy as np
import pytest
from sklearn import metrics as reference

from videobert_jax.metrics import ranking

SEEDS = range(25)


def scores_and_right(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Few distinct scores, so that most are tied; sometimes a query to which nothing is right."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 12)), int(rng.integers(2, 30))
    return rng.integers(0, rng.integers(2, 15), shape) / 4, rng.random(shape) < rng.choice([0.1, 0.4])


@pytest.mark.parametrize("seed", SEEDS)
def test_ndcg_of_graded_gains_is_scikit_learns(seed: int) -> None:
    scores, _ = scores_and_right(seed)
    gains = np.random.default_rng(seed + 1).integers(0, 4, scores.shape)
    for top in (1, 5, 100):
        mine = ranking.ndcg(scores, gains, top)
        np.testing.assert_array_equal(np.isnan(mine), ~gains.any(axis=1))
        for row in np.flatnonzero(gains.any(axis=1)):
            theirs = reference.ndcg_score(gains[row : row + 1], scores[row : row + 1], k=top)
            assert mine[row] == pytest.approx(theirs, abs=1e-9)


def of_trec_eval(scores: np.ndarray, right: np.ndarray, measures: list) -> dict[tuple[int, str], float]:
    """By (query, measure). trec_eval puts the larger name first among equal scores: names fall with the index."""
    names = [f"{1000 - column:04d}" for column in range(scores.shape[1])]
    judged = [
        ir_measures.Qrel(str(row), name, int(relevance))
        for row, line in enumerate(right)
        for name, relevance in zip(names, line, strict=True)
    ]
    run = [
        ir_measures.ScoredDoc(str(row), name, float(score))
        for row, line in enumerate(scores)
        for name, score in zip(names, line, strict=True)
    ]
    return {(int(one.query_id), str(one.measure)): one.value for one in ir_measures.iter_calc(measures, judged, run)}


@pytest.mark.parametrize("seed", SEEDS)
def test_map_and_mrr_are_trec_evals(seed: int) -> None:
    scores, right = scores_and_right(seed)
    found = of_trec_eval(scores, right, [ir_measures.AP, ir_measures.RR])
    precision, reciprocal = ranking.average_precision(scores, right), ranking.reciprocal_rank(scores, right)
    np.testing.assert_array_equal(np.isnan(precision), ~right.any(axis=1))
    for row in np.flatnonzero(right.any(axis=1)).tolist():
        assert precision[row] == pytest.approx(found[row, "AP"], abs=1e-9)
        assert reciprocal[row] == pytest.approx(found[row, "RR"], abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_recall_without_ties_is_trec_evals(seed: int) -> None:
    scores, right = scores_and_right(seed)
    scores = scores + np.random.default_rng(seed).permutation(scores.shape[1]) * 1e-3
    found = of_trec_eval(scores, right, [ir_measures.R @ 5])
    mine = ranking.recall(scores, right, 5)
    for row in np.flatnonzero(right.any(axis=1)).tolist():
        assert mine[row] == pytest.approx(found[row, "R@5"], abs=1e-9)


def test_equal_items_count_as_the_mean_over_their_orders() -> None:
    scores, right = np.array([0.5, 0.9, 0.5, 0.5, 0.1]), np.array([True, False, True, False, False])
    ranks, recalls = [], []
    for order in itertools.permutations((0, 2, 3)):
        ranked = [1, *order, 4]
        places = [place for place, item in enumerate(ranked, start=1) if right[item]]
        ranks.append(min(places))
        recalls.append(sum(place <= 2 for place in places) / 2)
    assert ranking.first_ranks(scores[None], right[None])[0] == pytest.approx(np.mean(ranks), abs=1e-9)
    assert ranking.recall(scores[None], right[None], 2)[0] == pytest.approx(np.mean(recalls), abs=1e-9)


def test_retrieval_by_hand() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 2.0], [1.0, 1.0, 1.0], [3.0, 2.0, 1.0]])
    right = np.array([[True, False, False], [False, True, False], [False, False, True], [False, False, False]])
    assert ranking.first_ranks(scores, right)[:3].tolist() == [1.0, 2.5, 2.0]
    assert ranking.retrieval(scores, right, (1, 2)) == {
        "recall_at_1": pytest.approx(1 / 3),
        "recall_at_2": pytest.approx(2 / 3),
        "median_rank": 2.0,
        "mean_rank": pytest.approx(5.5 / 3),
    }


def test_all_that_is_equal_is_as_good_as_chance() -> None:
    """A model that says the same of everything must not look better than one that guesses."""
    right = np.eye(50, dtype=bool)
    found = ranking.retrieval(np.zeros((50, 50)), right)
    assert found["recall_at_10"] == 0
    assert found["mean_rank"] == 25.5
    assert ranking.recall(np.zeros((50, 50)), right, 10).mean() == pytest.approx(0.2)


def test_coverage_counts_candidates_alone() -> None:
    scores = np.array([[3.0, 2.0, -np.inf, -np.inf, -np.inf], [3.0, -np.inf, 2.0, 1.0, -np.inf]])
    assert ranking.coverage(scores, 2) == pytest.approx(3 / 5)
    assert ranking.coverage(scores, 4) == pytest.approx(4 / 5)
