"""Scores of classifiers against scikit-learn, on random inputs with ties."""

import warnings

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics as reference
from sklearn.exceptions import UndefinedMetricWarning

from videobert_jax.metrics import labels

SEEDS = range(25)


def scores_and_truth(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Few distinct scores, so that most are tied; sometimes a class that never occurs."""
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(2, 60)), int(rng.integers(2, 7))
    scores = rng.integers(0, rng.integers(2, 12), (n, classes)) / 8
    return scores, rng.integers(0, classes if seed % 3 else max(classes - 1, 1), n)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("multiple", [False, True])
def test_precision_recall_and_f1(seed: int, multiple: bool) -> None:
    scores, truth = scores_and_truth(seed)
    classes = scores.shape[1]
    if multiple:
        true, found = np.random.default_rng(seed).random(scores.shape) < 0.2, scores > 0.5
        told = true.astype(int), found.astype(int)
    else:
        true, found = labels.one_hot(truth, classes), labels.one_hot(scores.argmax(axis=1), classes)
        told = truth, scores.argmax(axis=1)
    result = labels.counts(found, true)
    half = len(true) // 2
    parts = labels.counts(found[:half], true[:half]) + labels.counts(found[half:], true[half:])
    np.testing.assert_array_equal([parts.found, parts.wrong, parts.missed], [result.found, result.wrong, result.missed])
    numbers = range(classes)
    expected = reference.precision_recall_fscore_support(*told, labels=numbers, zero_division=0)
    for mine, theirs in zip((result.precision, result.recall, result.f1), expected, strict=False):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    present = sorted(np.flatnonzero(true.any(axis=0) | found.any(axis=0)).tolist())
    macro = reference.f1_score(*told, labels=present, average="macro", zero_division=0) if present else 0.0
    assert result.macro_f1 == pytest.approx(macro, abs=1e-9)
    micro = reference.f1_score(*told, labels=numbers, average="micro", zero_division=0)
    assert result.micro_f1 == pytest.approx(micro, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_confusions(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    predicted, classes = scores.argmax(axis=1), scores.shape[1]
    expected = reference.confusion_matrix(truth, predicted, labels=range(classes))
    np.testing.assert_array_equal(labels.confusions(predicted, truth, classes), expected)


def test_ties_at_the_border_of_the_top_count_as_their_chance() -> None:
    scores = np.array([[0.5, 0.5, 0.5, 0.1], [0.9, 0.5, 0.1, 0.1], [0.9, 0.9, 0.5, 0.1]])
    np.testing.assert_allclose(labels.hits(scores, np.array([2, 3, 2]), 1), [1 / 3, 0, 0])
    np.testing.assert_allclose(labels.hits(scores, np.array([2, 3, 2]), 2), [2 / 3, 0, 0])
    np.testing.assert_allclose(labels.hits(scores, np.array([2, 3, 2]), 3), [1, 0.5, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_top_accuracy_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, truth = rng.random((30, 5)), rng.integers(0, 5, 30)
    for top in (1, 2, 4):
        expected = reference.top_k_accuracy_score(truth, scores, k=top, labels=range(5))
        assert labels.hits(scores, truth, top).mean() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_average_precision_and_its_curve(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    true = truth == 0
    if not true.any():
        assert np.isnan(labels.average_precision(scores[:, 0], true))
        return
    assert labels.average_precision(scores[:, 0], true) == pytest.approx(
        reference.average_precision_score(true, scores[:, 0]), abs=1e-9
    )
    thresholds, precision, recall = labels.precision_recall(scores[:, 0], true)
    theirs = reference.precision_recall_curve(true, scores[:, 0])  # upwards, and with an end
    np.testing.assert_allclose(precision[::-1], theirs[0][:-1], atol=1e-9)
    np.testing.assert_allclose(recall[::-1], theirs[1][:-1], atol=1e-9)
    np.testing.assert_array_equal(thresholds[::-1], theirs[2])


@pytest.mark.parametrize("seed", SEEDS)
def test_thresholds_are_the_best_of_all(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    true = truth == 0
    if not true.any():
        assert labels.best_threshold(scores[:, 0], true) == np.inf
        assert labels.precision_at_recall(scores[:, 0], true, 0.5)[1] == np.inf
        return
    tried = np.unique(scores[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        f1 = [reference.f1_score(true, scores[:, 0] >= one) for one in tried]
        pairs = [
            (reference.precision_score(true, scores[:, 0] >= one), reference.recall_score(true, scores[:, 0] >= one))
            for one in tried
        ]
    best = labels.best_threshold(scores[:, 0], true)
    assert f1[tried.tolist().index(best)] == pytest.approx(max(f1), abs=1e-9)
    for wanted in (0.3, 0.8, 1.0):
        precision, threshold = labels.precision_at_recall(scores[:, 0], true, wanted)
        assert precision == pytest.approx(max(p for p, r in pairs if r >= wanted), abs=1e-9)
        assert pairs[tried.tolist().index(threshold)][0] == pytest.approx(precision, abs=1e-9)


def test_calibration_error_by_hand() -> None:
    confidence, correct = np.array([0.0, 0.5, 0.45, 0.9, 1.0]), np.array([1, 1, 0, 1, 1])
    # Bins (0, 0.5] and (0.5, 1]: the first holds 0, 0.5 and 0.45, two of which are right; the second 0.9 and 1.
    expected = 3 / 5 * abs(0.95 / 3 - 2 / 3) + 2 / 5 * abs(1.9 / 2 - 1)
    assert labels.calibration_error(confidence, correct, bins=2) == pytest.approx(expected, abs=1e-9)
    assert labels.calibration_error(np.array([0.25] * 4), np.array([1, 0, 0, 0])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("multiple", [False, True])
def test_the_temperature_undoes_a_scale(seed: int, multiple: bool) -> None:
    """Labels drawn by the probabilities of logits, which are then multiplied, to sampling error."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (4000, 4))
    if multiple:
        truth = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    else:
        truth = labels.one_hot((logits + rng.gumbel(size=logits.shape)).argmax(axis=1), 4)
    for scale in (0.2, 5.0):
        assert labels.temperature(scale * logits, truth, multiple) == pytest.approx(scale, rel=0.1)


def test_no_other_temperature_is_likelier() -> None:
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(0, 3, (200, 3)), rng.integers(0, 3, 200)

    def cost(temperature: float) -> float:
        return reference.log_loss(truth, softmax(logits / temperature, axis=1))

    found = labels.temperature(logits, labels.one_hot(truth, 3))
    assert cost(found) < min(cost(0.999 * found), cost(1.001 * found))
