"""Linear models of clip features, on plain arrays."""

import numpy as np
import pytest

from videobert_jax.applications import features_only, page


def blobs(truth: np.ndarray, seed: int = 0) -> np.ndarray:
    """Inputs [n, 5 + classes] that tell the classes, with noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, (len(truth), truth.shape[1] + 5))
    noise[:, : truth.shape[1]] += truth
    return noise.astype(np.float32)


def test_classes_that_exclude_each_other_are_told() -> None:
    truth = np.eye(4, dtype=bool)[np.arange(80) % 3]  # the last never occurs
    told = features_only._logistic(blobs(truth), truth, 0.1)(blobs(truth, seed=1))
    np.testing.assert_allclose(told.sum(axis=1), 1, atol=1e-6)  # of float32
    assert features_only._metric("accuracy", told, truth) > 0.9
    assert not told[:, 3].any()


def test_several_classes_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((120, 3)) < [0.5, 0.3, 0.0]
    told = features_only._logistic(blobs(truth), truth, 0.1)(blobs(truth, seed=1))
    assert features_only._metric("map", told, truth) > 0.95
    np.testing.assert_array_equal(told[:, 2], 0)


def test_the_metrics_are_those_of_the_evaluators() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    found = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    assert features_only._metric("accuracy", found, truth) == pytest.approx(3 / 4)
    assert features_only._metric("macro_f1", found, truth) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert features_only._metric("map", found, truth) == pytest.approx(((1 + 2 / 4) / 2 + (1 / 2 + 2 / 3) / 2) / 2)


def test_bags_hold_the_words_of_the_vocabulary() -> None:
    np.testing.assert_array_equal(features_only.bags([[1, 1, 9], []], 3), [[0, 1, 0], [0, 0, 0]])
    assert features_only.bags([[1]], 0).shape == (1, 0)


def test_confusions_are_off_the_diagonal_the_largest_first() -> None:
    table = [[5, 1, 0], [0, 3, 4], [0, 0, 9]]
    assert page._confusions(["a", "b", "c"], table) == [("b", "c", 4), ("a", "b", 1)]
