"""Calibration of probabilities by hand, and temperatures against SciPy's minimum of scikit-learn's loss."""

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, softmax
from sklearn import metrics as reference

from videobert_jax.metrics import labels


def test_calibration_error_by_hand() -> None:
    confidence, correct = np.array([0.0, 0.5, 0.45, 0.9, 1.0]), np.array([1, 1, 0, 1, 1])
    # Bins [0, 0.5] and (0.5, 1]: the first holds 0, 0.5 and 0.45, two of which are correct; the second 0.9 and 1.
    expected = 3 / 5 * abs(0.95 / 3 - 2 / 3) + 2 / 5 * abs(1.9 / 2 - 1)
    assert labels.calibration_error(confidence, correct, bins=2) == pytest.approx(expected, abs=1e-9)
    assert labels.calibration_error(np.array([0.25] * 4), np.array([1, 0, 0, 0])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_reliability_is_that_of_the_bins_and_adds_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confidence, correct = rng.random((50, 4)), rng.random((50, 4)) < 0.3
    whole = labels.reliability(confidence, correct, 7)
    parts = labels.reliability(confidence[:20], correct[:20], 7) + labels.reliability(confidence[20:], correct[20:], 7)
    error = 0.0
    for one in range(7):
        inside = (confidence > one / 7) & (confidence <= (one + 1) / 7)
        assert parts.count[one] == inside.sum()
        error += abs(confidence[inside].sum() - correct[inside].sum()) / confidence.size
    assert parts.error == pytest.approx(error, abs=1e-9)
    assert whole.error == pytest.approx(error, abs=1e-9)


def test_a_border_belongs_to_the_bin_below() -> None:
    for bins in range(2, 101):
        borders = np.arange(1, bins + 1) / bins
        assert labels.reliability(borders, borders > 2, bins).count.tolist() == [1] * bins


@pytest.mark.parametrize("strange", [-0.1, 1.1, float("nan")])
def test_a_confidence_is_a_probability(strange: float) -> None:
    with pytest.raises(ValueError, match=r"pass probabilities, not logits"):
        labels.reliability(np.array([0.5, strange]), np.array([True, False]))
    assert labels.reliability(np.array([1 + 1e-7]), np.array([True])).count[-1] == 1


def mean_loss(temperature: float, logits: np.ndarray, truth: np.ndarray, multiple: bool) -> float:
    if multiple:
        return reference.log_loss(truth.ravel(), expit(logits / temperature).ravel(), labels=[False, True])
    return reference.log_loss(truth.argmax(axis=1), softmax(logits / temperature, axis=1), labels=range(truth.shape[1]))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("multiple", [False, True])
def test_the_temperature_has_the_least_loss(seed: int, multiple: bool) -> None:
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(30, 90)), int(rng.integers(2, 6))
    logits = rng.normal(0, 3, (n, classes))
    noisy = logits + rng.gumbel(0, 3, (n, classes))
    truth = noisy > 1 if multiple else labels.one_hot(noisy.argmax(axis=1), classes)

    def loss(logarithm: float) -> float:
        return mean_loss(np.exp(logarithm), logits, truth, multiple)

    found = optimize.minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), options={"xatol": 1e-9}).x
    assert 0.02 < np.exp(found) < 50, "the least loss has to be inside the range"
    # A minimum is found to the square root of the rounding of the loss; ours is a zero of its slope.
    assert np.log(labels.temperature(logits, truth, multiple)) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("multiple", [False, True])
def test_the_temperature_undoes_a_factor(multiple: bool) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (200, 4))
    drawn = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    truth = logits + rng.logistic(size=logits.shape) > 0 if multiple else labels.one_hot(drawn, 4)
    once = labels.temperature(logits, truth, multiple)
    for factor in (0.2, 5.0):
        assert labels.temperature(factor * logits, truth, multiple) == pytest.approx(factor * once, rel=1e-9)


def test_temperatures_without_a_best_one() -> None:
    right, truth = np.array([[5.0, -5.0], [-5.0, 5.0]]), np.eye(2, dtype=bool)
    for multiple in (False, True):
        assert labels.temperature(right, truth, multiple) == pytest.approx(0.01), "always right: the surer the better"
        assert labels.temperature(-right, truth, multiple) == pytest.approx(100), "always wrong: the less sure"
    assert labels.temperature(np.full((4, 3), 0.1), labels.one_hot(np.zeros(4, int), 3)) == 1.0
    assert labels.temperature(np.zeros((4, 3)), np.zeros((4, 3), bool), multiple=True) == 1.0
    assert labels.temperature(np.zeros((0, 3)), np.zeros((0, 3), bool)) == 1.0


def test_temperatures_of_large_logits_do_not_overflow() -> None:
    logits, truth = np.array([[1e4, -1e4], [1e4, -1e4], [1e4, -1e4]]), labels.one_hot(np.array([0, 0, 1]), 2)
    for multiple in (False, True):
        assert labels.temperature(logits, truth, multiple) == pytest.approx(100)


def test_temperatures_need_finite_logits_and_one_class() -> None:
    with pytest.raises(ValueError, match="1 logits are not finite"):
        labels.temperature(np.array([[0.0, -np.inf]]), np.array([[True, False]]))
    with pytest.raises(ValueError, match="exactly one class"):
        labels.temperature(np.zeros((2, 2)), np.array([[True, False], [False, False]]))
