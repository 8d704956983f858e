"""Metrics of classifiers against scikit-learn, on random inputs with ties."""

import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.exceptions import UndefinedMetricWarning

from videobert_jax.metrics import labels

SEEDS = range(40)


def scores_and_truth(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Few distinct scores, so that most are tied; sometimes one example or class, or a class that never occurs."""
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(1, 60 if seed % 4 else 4)), int(rng.integers(1, 7))
    scores = rng.integers(0, rng.integers(2, 12), (n, classes)) / 8
    return scores, rng.integers(0, classes if seed % 3 else max(classes - 1, 1), n)


def several(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and classes of which an example has any number."""
    scores, _ = scores_and_truth(seed)
    return scores, np.random.default_rng(seed).random(scores.shape) < 0.2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("multiple", [False, True])
def test_precision_recall_and_f1(seed: int, multiple: bool) -> None:
    scores, truth = scores_and_truth(seed)
    classes = scores.shape[1]
    if multiple:
        scores, true = several(seed)
        found = scores > 0.5
    else:
        true, found = labels.one_hot(truth, classes), labels.one_hot(scores.argmax(axis=1), classes)
    result = labels.counts(found, true)
    half = len(true) // 2
    parts = labels.counts(found[:half], true[:half]) + labels.counts(found[half:], true[half:])
    np.testing.assert_array_equal([parts.tp, parts.fp, parts.fn], [result.tp, result.fp, result.fn])
    present = np.flatnonzero(true.any(axis=0) | found.any(axis=0))
    for one in range(classes):
        expected = reference.precision_recall_fscore_support(
            true[:, one], found[:, one], average="binary", zero_division=0
        )
        np.testing.assert_allclose([result.precision[one], result.recall[one], result.f1[one]], expected[:3], atol=1e-9)
    macro = [values[present].mean() if len(present) else 0 for values in (result.precision, result.recall, result.f1)]
    np.testing.assert_allclose([result.macro_precision, result.macro_recall, result.macro_f1], macro, atol=1e-9)
    micro = reference.precision_recall_fscore_support(true.ravel(), found.ravel(), average="binary", zero_division=0)
    np.testing.assert_allclose([result.micro_precision, result.micro_recall, result.micro_f1], micro[:3], atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_of_single_labels_macro_averages_are_scikit_learns_defaults(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    predicted, classes = scores.argmax(axis=1), scores.shape[1]
    result = labels.counts(labels.one_hot(predicted, classes), labels.one_hot(truth, classes))
    expected = reference.precision_recall_fscore_support(truth, predicted, average="macro", zero_division=0)[:3]
    np.testing.assert_allclose([result.macro_precision, result.macro_recall, result.macro_f1], expected, atol=1e-9)
    assert result.micro_f1 == pytest.approx(reference.accuracy_score(truth, predicted), abs=1e-9)


def test_a_class_that_never_occurs() -> None:
    """The second class is predicted alone, the third neither; the third has no part in macro averages."""
    result = labels.counts(np.array([[1, 1, 0], [1, 0, 0]]), np.array([[1, 0, 0], [1, 0, 0]]))
    assert result.precision.tolist() == [1, 0, 0]
    assert result.recall.tolist() == [1, 0, 0]
    assert result.f1.tolist() == [1, 0, 0]
    assert result.macro_f1 == 0.5
    nothing = labels.counts(np.zeros((3, 2)), np.zeros((3, 2)))
    assert nothing.macro_f1 == nothing.micro_f1 == nothing.micro_recall == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_confusions(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    predicted, classes = scores.argmax(axis=1), scores.shape[1]
    expected = reference.confusion_matrix(truth, predicted, labels=range(classes))
    np.testing.assert_array_equal(labels.confusions(predicted, truth, classes), expected)


@pytest.mark.parametrize("strange", [-1, 3])
def test_a_number_that_is_no_class_is_refused(strange: int) -> None:
    """-1 would be the last class of NumPy's."""
    truth = np.array([0, strange])
    with pytest.raises(ValueError, match=f"class {strange} is not in \\[0, 3\\)"):
        labels.hits(np.zeros((2, 3)), truth, 1)
    with pytest.raises(ValueError, match=f"class {strange} is not in"):
        labels.confusions(truth, np.array([0, 0]), 3)
    with pytest.raises(ValueError, match=f"class {strange} is not in"):
        labels.confusions(np.array([0, 0]), truth, 3)


def test_ties_at_the_border_of_the_top_count_as_their_probability() -> None:
    scores = np.array([[0.5, 0.5, 0.5, 0.1], [0.9, 0.5, 0.1, 0.1], [0.9, 0.9, 0.5, 0.1]])
    np.testing.assert_allclose(labels.hits(scores, np.array([2, 3, 2]), 1), [1 / 3, 0, 0])
    np.testing.assert_allclose(labels.hits(scores, np.array([2, 3, 2]), 2), [2 / 3, 0, 0])
    np.testing.assert_allclose(labels.hits(scores, np.array([2, 3, 2]), 3), [1, 0.5, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_top_k_accuracy_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, truth = rng.random((30, 5)), rng.integers(0, 5, 30)
    for top in (1, 2, 4):
        expected = reference.top_k_accuracy_score(truth, scores, k=top, labels=range(5))
        parts = labels.top_k_accuracy(scores[:9], truth[:9], top) + labels.top_k_accuracy(scores[9:], truth[9:], top)
        assert parts.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_average_precision_and_its_curve(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    true = truth == 0
    if not true.any():
        assert math.isnan(labels.average_precision(scores[:, 0], true))
        return
    expected = reference.average_precision_score(true, scores[:, 0])
    assert labels.average_precision(scores[:, 0], true) == pytest.approx(expected, abs=1e-9)
    thresholds, precision, recall = labels.precision_recall(scores[:, 0], true)
    theirs = reference.precision_recall_curve(true, scores[:, 0])  # upwards, and with an end
    np.testing.assert_allclose(precision[::-1], theirs[0][:-1], atol=1e-9)
    np.testing.assert_allclose(recall[::-1], theirs[1][:-1], atol=1e-9)
    np.testing.assert_array_equal(thresholds[::-1], theirs[2])


@pytest.mark.parametrize("seed", SEEDS)
def test_mean_average_precision_is_over_the_classes_that_occur(seed: int) -> None:
    scores, truth = several(seed)
    occur = truth.any(axis=0)
    if not occur.any():
        assert math.isnan(labels.mean_average_precision(scores, truth))
        return
    expected = np.mean([reference.average_precision_score(truth[:, one], scores[:, one]) for one in np.where(occur)[0]])
    assert labels.mean_average_precision(scores, truth) == pytest.approx(expected, abs=1e-9)


def test_nothing_has_no_curve() -> None:
    assert all(len(array) == 0 for array in labels.precision_recall(np.zeros(0), np.zeros(0, bool)))
    assert math.isnan(labels.average_precision(np.zeros(0), np.zeros(0, bool)))
    assert math.isnan(labels.top_k_accuracy(np.zeros((0, 3)), np.zeros(0, int)).value)
    assert math.isnan(labels.calibration_error(np.zeros(0), np.zeros(0, bool)))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_scores_of_other_types_rank_alike(dtype: type) -> None:
    """The negative of an unsigned number is large, and of a bool an error."""
    scores, truth = np.array([1, 0, 0, 1]), np.array([True, False, True, False])
    assert labels.average_precision(scores.astype(dtype), truth) == labels.average_precision(scores * 1.0, truth)


@pytest.mark.parametrize("seed", SEEDS)
def test_thresholds_are_the_best_of_all(seed: int) -> None:
    scores, truth = scores_and_truth(seed)
    scores, true = scores[:, 0], truth == 0
    if not true.any():
        assert labels.best_threshold(scores, true) == labels.threshold_at_recall(scores, true, 0.5) == np.inf
        for choose in (labels.precision_at_recall, labels.recall_at_precision):
            value, threshold = choose(scores, true, 0.5)
            assert math.isnan(value)
            assert threshold == np.inf
        return
    tried = np.unique(scores)[::-1].tolist()  # the highest first, so that the first of equals is the highest
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        f1 = [reference.f1_score(true, scores >= one) for one in tried]
        precisions = [reference.precision_score(true, scores >= one) for one in tried]
        recalls = [reference.recall_score(true, scores >= one) for one in tried]
    assert labels.best_threshold(scores, true) == tried[int(np.argmax(np.round(f1, 12)))]
    for wanted in (0.3, 0.8, 1.0):
        assert labels.threshold_at_recall(scores, true, wanted) == max(
            one for one, recall in zip(tried, recalls, strict=True) if recall >= wanted
        )
        best = max(p for p, r in zip(precisions, recalls, strict=True) if r >= wanted)
        precision, threshold = labels.precision_at_recall(scores, true, wanted)
        assert precision == pytest.approx(best, abs=1e-9)
        assert threshold == tried[min(n for n, r in enumerate(recalls) if r >= wanted and precisions[n] == best)]
        best = max((r for p, r in zip(precisions, recalls, strict=True) if p >= wanted), default=0.0)
        recall, threshold = labels.recall_at_precision(scores, true, wanted)
        assert recall == pytest.approx(best, abs=1e-9)
        reaching = [n for n, p in enumerate(precisions) if p >= wanted and recalls[n] == best and best > 0]
        assert threshold == (tried[min(reaching)] if reaching else np.inf)


def test_each_class_has_its_own_threshold() -> None:
    scores = np.array([[0.9, 0.3, 0.5], [0.8, 0.2, 0.5], [0.1, 0.1, 0.5]])
    truth = np.array([[True, False, False], [True, True, False], [False, True, False]])
    assert labels.best_thresholds(scores, truth).tolist() == [0.8, 0.1, np.inf]
    assert labels.thresholds_at_recall(scores, truth, 0.5).tolist() == [0.9, 0.2, np.inf]


def test_the_frontier_has_what_no_other_threshold_betters() -> None:
    """On random scores with ties: by comparing all thresholds with all."""
    rng = np.random.default_rng(5)
    for size in (1, 2, 7, 60):
        for _ in range(20):
            scores, truth = rng.integers(0, 12, size) / 10, rng.random(size) < 0.4
            points = list(zip(*labels.precision_recall(scores, truth), strict=True)) if truth.any() else []
            expected = [
                one
                for one in points
                if not any((other[1] >= one[1] and other[2] >= one[2] and other[1:] != one[1:]) for other in points)
            ]
            assert list(zip(*labels.frontier(scores, truth), strict=True)) == expected
