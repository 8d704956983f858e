"""Moments and highlights, by hand; benchmarks/real/published_metrics.py compares with published figures."""

import math

import numpy as np
import pytest

from videobert_jax.metrics import moments
from videobert_jax.metrics.mean import Mean
from videobert_jax.metrics.moments import Query


def query(predicted: list[tuple[float, float]], truth: list[tuple[float, float]]) -> Query:
    return Query(np.array(predicted, float).reshape(-1, 2), np.array(truth, float).reshape(-1, 2))


def test_temporal_iou() -> None:
    table = moments.temporal_iou(np.array([[0, 10], [20, 30]]), np.array([[5, 15], [0, 10], [30, 40], [22, 24]]))
    np.testing.assert_allclose(table, [[1 / 3, 1, 0, 0], [0, 0, 0, 0.2]])
    assert moments.temporal_iou(np.array([[3, 3]]), np.array([[3, 3]])) == 0
    assert moments.temporal_iou(np.zeros((0, 2)), np.array([[3, 3]])).shape == (0, 1)


@pytest.mark.parametrize("seed", range(10))
def test_temporal_iou_of_whole_seconds_is_that_of_sets(seed: int) -> None:
    windows = np.sort(np.random.default_rng(seed).integers(0, 12, (9, 2)), axis=1)
    some, others = windows[:4], windows[4:]
    table = moments.temporal_iou(some, others)
    for i, one in enumerate(some):
        for j, other in enumerate(others):
            first, second = set(range(*one)), set(range(*other))
            assert table[i, j] == pytest.approx(len(first & second) / max(len(first | second), 1), abs=1e-12)


def test_the_first_window_may_match_any_true_one() -> None:
    assert moments.recall_at_1(query([(0, 10), (50, 60)], [(50, 60), (0, 14)]), 0.7)
    assert moments.recall_at_1(query([(0, 7)], [(0, 10)]), 0.7), "at the threshold"
    assert not moments.recall_at_1(query([(0, 10), (50, 60)], [(50, 60), (0, 15)]), 0.7)
    assert not moments.recall_at_1(query([], [(0, 15)]), 0.5)


def test_a_true_window_is_found_once() -> None:
    """The second window repeats the first; the third finds the other true one: precisions 1, 1/2, 2/3."""
    found = query([(0, 10), (0, 11), (20, 30)], [(0, 10), (20, 30)])
    assert moments.average_precision(found, 0.5) == pytest.approx((1 + 2 / 3) / 2)
    assert moments.average_precision(query([(40, 50), (0, 10)], [(0, 10), (20, 30)]), 0.5) == pytest.approx(0.25)
    assert moments.average_precision(query([], [(0, 10)]), 0.5) == 0


def test_precision_is_interpolated() -> None:
    """Precisions at the hits 1/2 and 2/3: at the lower recall, too, the better one counts."""
    found = query([(40, 50), (0, 10), (20, 30)], [(0, 10), (20, 30)])
    assert moments.average_precision(found, 0.5) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_of_two_true_windows_the_one_of_the_higher_iou_is_matched() -> None:
    found = query([(0, 10), (1, 12)], [(0, 12), (0, 10)])
    assert moments.average_precision(found, 0.8) == 1.0  # the first could have matched the first as well
    assert moments.average_precision(found, 0.95) == pytest.approx(0.5)


def test_a_matched_window_leaves_the_next_best() -> None:
    assert moments.average_precision(query([(0, 10), (0, 10)], [(0, 10), (0, 8)]), 0.5) == 1.0


def test_only_ten_windows_count() -> None:
    late = [(100.0 + n, 101.0 + n) for n in range(10)] + [(0.0, 10.0)]
    assert moments.average_precision(query(late, [(0, 10)]), 0.5) == 0
    assert moments.average_precision(query(late[1:], [(0, 10)]), 0.5) == pytest.approx(0.1)


QUERIES = [query([(0, 10)], [(0, 10), (20, 60)]), query([(0, 5)], [(100, 130)]), query([(0, 6)], [(0, 10)])]


def test_moment_retrieval() -> None:
    result = {name: one.value for name, one in moments.moment_retrieval(QUERIES).items()}
    assert result["r1_at_0.5"] == pytest.approx(2 / 3)
    assert result["r1_at_0.7"] == pytest.approx(1 / 3)
    assert result["map_at_0.6"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert result["map_at_0.65"] == pytest.approx((0.5 + 0 + 0) / 3)
    assert result["map"] == pytest.approx((0.5 + 0 + 0.3) / 3)
    assert result["map_short"] == pytest.approx((1.0 + 0.3) / 2)  # ten seconds are short
    assert result["map_middle"] == 0.0  # and thirty are not long
    assert result["map_long"] == 0.0
    assert math.isnan(moments.moment_retrieval([query([(0, 5)], [(0, 5)])])["map_long"].value)


def test_queries_add_up() -> None:
    whole, none = moments.moment_retrieval(QUERIES), moments.moment_retrieval([])
    parts = moments.moment_retrieval(QUERIES[:1]), moments.moment_retrieval(QUERIES[1:])
    for name, one in whole.items():
        assert (parts[0][name] + parts[1][name] + none[name]).value == pytest.approx(one.value)
        assert none[name] == Mean(0, 0)


def test_windows_are_checked() -> None:
    with pytest.raises(ValueError, match="no true window"):
        query([(0, 1)], [])
    for wrong in ((5, 1), (math.nan, 1)):
        with pytest.raises(ValueError, match="does not start before it ends"):
            query([wrong], [(0, 1)])
    with pytest.raises(ValueError, match=r"shape \(1, 3\), not \[n, 2\]"):
        Query(np.array([[0.0, 1.0, 0.9]]), np.array([[0.0, 1.0]]))


def highlights(scores: list[float], ratings: list[list[float]], lowest: int) -> dict[str, float]:
    found = moments.highlight_detection([np.array(scores)], [np.array(ratings)], lowest)
    return {name: one.value for name, one in found.items()}


def test_highlights_are_judged_by_each_rater() -> None:
    ratings: list[list[float]] = [[3, 0, 4], [0, 0, 4], [2, 0, 4]]
    assert highlights([0.9, 0.1, 0.5], ratings, 2) == {"map": pytest.approx((1.0 + 0.0 + 1.0) / 3), "hit_at_1": 1.0}
    assert highlights([0.9, 0.1, 0.5], ratings, 3)["map"] == pytest.approx(2 / 3)
    worse = highlights([0.1, 0.9, 0.5], ratings, 2)
    assert worse["map"] == pytest.approx((2 / 3 + 0 + 1) / 3)  # of the first rater 1/2 and 2/3, interpolated
    assert worse["hit_at_1"] == 1.0
    assert highlights([0.1, 0.9, 0.5], [[4], [0], [0]], 2)["hit_at_1"] == 0.0


def test_clips_of_equal_scores_are_one_threshold_and_the_first_of_them_the_best() -> None:
    """The first threshold finds two of three highlights, at 2/3; the second all, at 3/5."""
    found = highlights([0.9, 0.9, 0.9, 0.1, 0.1], [[4], [4], [0], [4], [0]], 2)
    assert found == {"map": pytest.approx((2 / 3 + 3 / 5) / 2), "hit_at_1": 1.0}
    assert highlights([0.9, 0.9], [[0], [4]], 2)["hit_at_1"] == 0.0


def test_a_clip_without_a_score_has_0_and_one_without_ratings_does_not_count() -> None:
    ratings: list[list[float]] = [[4.0], [0.0], [4.0]]
    assert highlights([0.5, 0.2], ratings, 2)["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert highlights([-0.5, -0.2], ratings, 2)["map"] == pytest.approx((1 + 2 / 3) / 2)  # 0 is the best of them
    assert highlights([0.1, 0.2, 0.3, 9.0], ratings, 2)["hit_at_1"] == 0.0


def test_a_score_that_is_no_number_is_refused_wherever_it_stands() -> None:
    """NumPy takes NaN for the highest score; here the clip has no ratings, and no clip is a highlight."""
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        highlights([0.5, math.nan], [[0.0]], 2)
