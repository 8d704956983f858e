"""Ridge regression against its normal equations, and average precision against its definition and all orders."""

import itertools

import numpy as np
import pytest

from videobert_jax.evaluation import linear_probe
from videobert_jax.evaluation.linear_probe import chance, ridge_scores
from videobert_jax.metrics.labels import average_precision


def data(clips, width, seed=0):
    rng = np.random.default_rng(seed)
    known, unseen = rng.normal(3, 1, (clips, width)), rng.normal(3, 1, (7, width))
    labels = known @ rng.normal(size=(width, 4)) + rng.normal(0, 3, (clips, 4)) > 0
    return known, labels, unseen


@pytest.mark.parametrize(("clips", "width"), [(40, 6), (6, 40), (12, 12)])
def test_scores_solve_the_normal_equations(clips, width, monkeypatch):
    known, labels, unseen = data(clips, width)
    monkeypatch.setattr(linear_probe, "PENALTIES", np.array([0.1]))
    x, y = known - known.mean(axis=0), labels - labels.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + 0.1 * np.sum(x**2) * np.eye(width), x.T @ y)
    expected = (unseen - known.mean(axis=0)) @ weights + labels.mean(axis=0)
    np.testing.assert_allclose(ridge_scores(known, labels, unseen), expected, atol=1e-9)


@pytest.mark.parametrize(("clips", "width"), [(40, 6), (20, 40)])
def test_the_penalty_has_the_least_generalised_error(clips, width, monkeypatch):
    known, labels, unseen = data(clips, width)
    chosen = ridge_scores(known, labels, unseen)
    x, y = known - known.mean(axis=0), labels - labels.mean(axis=0)
    errors = {}
    for share in linear_probe.PENALTIES:
        hat = x @ np.linalg.solve(x.T @ x + share * np.sum(x**2) * np.eye(width), x.T)
        errors[share] = np.sum((y - hat @ y) ** 2) / (1 - (1 + np.trace(hat)) / clips) ** 2
        if 1 - (1 + np.trace(hat)) / clips <= 0:
            errors[share] = np.inf
    best = min(errors, key=errors.get)
    assert best not in linear_probe.PENALTIES[[0, -1]], "the choice has to be one"
    monkeypatch.setattr(linear_probe, "PENALTIES", np.array([best]))
    np.testing.assert_allclose(ridge_scores(known, labels, unseen), chosen, atol=1e-9)


def test_features_that_are_all_equal_say_how_frequent_labels_are():
    labels = np.array([[True, False], [True, True], [True, False], [False, False]])
    scores = ridge_scores(np.ones((4, 3)), labels, np.ones((2, 3)))
    np.testing.assert_allclose(scores, [[0.75, 0.25]] * 2)


def test_average_precision_is_the_mean_precision_at_the_positives():
    labels = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3, 2, 1]), labels) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(np.array([1.0, 2, 3, 4]), labels) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert average_precision(np.ones(4), labels) == 0.5, "of equal scores, the share of positives"
    assert average_precision(np.array([2.0, 2, 1, 1]), labels) == pytest.approx((1 / 2 + 2 / 4) / 2)


@pytest.mark.parametrize(("positives", "total"), [(1, 1), (1, 4), (2, 5), (3, 5), (5, 5)])
def test_chance_is_the_mean_over_all_orders(positives, total):
    labels = np.arange(total) < positives
    scores = [average_precision(np.array(order, float), labels) for order in itertools.permutations(range(total))]
    assert chance(positives, total) == pytest.approx(np.mean(scores))
