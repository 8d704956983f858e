"""Moments and highlights, by hand; benchmarks/real/published_metrics.py compares with published figures."""

import math

import numpy as np
import pytest

from videobert_jax.metrics import moments
from videobert_jax.metrics.moments import Query


def query(found: list[tuple[float, float]], right: list[tuple[float, float]]) -> Query:
    return Query(np.array(found, float).reshape(-1, 2), np.array(right, float))


def test_overlaps_are_shares_of_what_either_covers() -> None:
    table = moments.overlaps(np.array([[0, 10], [20, 30]]), np.array([[5, 15], [0, 10], [30, 40], [22, 24]]))
    np.testing.assert_allclose(table, [[1 / 3, 1, 0, 0], [0, 0, 0, 0.2]])
    assert moments.overlaps(np.array([[3, 3]]), np.array([[3, 3]])) == 0


def test_the_first_window_may_be_any_that_is_right() -> None:
    assert moments.first_right(query([(0, 10), (50, 60)], [(50, 60), (0, 14)]), 0.7)
    assert not moments.first_right(query([(0, 10), (50, 60)], [(50, 60), (0, 15)]), 0.7)
    assert not moments.first_right(query([], [(0, 15)]), 0.5)


def test_a_right_window_is_found_once() -> None:
    """The second window repeats the first; the third finds the other right one: precisions 1, 1/2, 2/3."""
    found = query([(0, 10), (0, 11), (20, 30)], [(0, 10), (20, 30)])
    assert moments.average_precision(found, 0.5) == pytest.approx((1 + 2 / 3) / 2)
    assert moments.average_precision(query([(40, 50), (0, 10)], [(0, 10), (20, 30)]), 0.5) == pytest.approx(0.25)
    assert moments.average_precision(query([], [(0, 10)]), 0.5) == 0


def test_of_two_right_windows_the_one_that_overlaps_most_is_taken() -> None:
    found = query([(0, 10), (1, 12)], [(0, 12), (0, 10)])
    assert moments.average_precision(found, 0.75) == 1.0
    assert moments.average_precision(found, 0.95) == pytest.approx(0.5)


def test_only_ten_windows_count() -> None:
    late = [(100.0 + n, 101.0 + n) for n in range(10)] + [(0.0, 10.0)]
    assert moments.average_precision(query(late, [(0, 10)]), 0.5) == 0
    assert moments.average_precision(query(late[1:], [(0, 10)]), 0.5) == pytest.approx(0.1)


def test_moments_by_length_count_the_windows_that_are_so_long() -> None:
    result = moments.moments([query([(0, 10)], [(0, 10), (20, 60)]), query([(0, 5)], [(100, 130)])])
    assert result["r1_at_0.5"] == 0.5
    assert result["map"] == pytest.approx((0.5 + 0) / 2)
    assert result["map_short"] == 1.0  # ten seconds are short
    assert result["map_middle"] == 0.0  # and thirty are not long
    assert result["map_long"] == 0.0
    assert math.isnan(moments.moments([query([(0, 5)], [(0, 5)])])["map_long"])


def test_highlights_are_judged_by_each_person() -> None:
    scores = [np.array([0.9, 0.1, 0.5])]
    ratings = [np.array([[3, 0, 4], [0, 0, 4], [2, 0, 4]])]
    result = moments.highlights(scores, ratings, 2)
    assert result == {"map": pytest.approx((1.0 + 0.0 + 1.0) / 3), "hit_at_1": 1.0}
    assert moments.highlights(scores, ratings, 3)["map"] == pytest.approx(2 / 3)
    worse = moments.highlights([np.array([0.1, 0.9, 0.5])], ratings, 2)
    assert worse["map"] == pytest.approx((2 / 3 + 0 + 1) / 3)  # of the first person 1/2 and 2/3, interpolated
    assert worse["hit_at_1"] == 1.0


def test_a_clip_without_a_score_is_last_and_one_without_ratings_does_not_count() -> None:
    ratings = [np.array([[4.0], [0.0], [4.0]])]
    assert moments.highlights([np.array([0.5, 0.2])], ratings, 2)["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert moments.highlights([np.array([0.1, 0.2, 0.3, 9.0])], ratings, 2)["hit_at_1"] == 0.0
