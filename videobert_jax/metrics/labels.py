"""Metrics of classifiers: of the classes they choose, of their scores, and of their probabilities.

n examples, C classes; a class is a number in [0, C) or a column of a bool array [n, C]. Single-label classifiers
(softmax) have one class for each example, multi-label ones (sigmoid) any number.
"""

import dataclasses

import numpy as np

from videobert_jax.metrics.mean import Mean, checked_scores

HIGHEST = 100.0  # temperature; the lowest is its inverse
HALVINGS = 40  # of the interval of its logarithm: relative errors below 1e-11
ROUNDING = 1e-6  # by which a float32 softmax may exceed 1


@dataclasses.dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives of each class, int64 [C]; counts of parts add up.

    A ratio whose denominator is 0 is 0, as by scikit-learn's `zero_division=0`. Macro averages are over the classes
    that occur or are predicted, as scikit-learn's are for single labels; they are 0 if there is no such class.
    """

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> np.ndarray:
        """Float64 [C]; 0 for a class that is never predicted."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> np.ndarray:
        """Float64 [C]; 0 for a class that never occurs."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> np.ndarray:
        """Float64 [C]: the harmonic mean of the two; 0 for a class that neither occurs nor is predicted."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def macro_precision(self) -> float:
        """The mean of the classes' precisions."""
        return self._macro(self.precision)

    @property
    def macro_recall(self) -> float:
        """The mean of the classes' recalls."""
        return self._macro(self.recall)

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1."""
        return self._macro(self.f1)

    @property
    def micro_precision(self) -> float:
        """The precision over all classes together."""
        return float(self._together().precision[0])

    @property
    def micro_recall(self) -> float:
        """The recall over all classes together."""
        return float(self._together().recall[0])

    @property
    def micro_f1(self) -> float:
        """F1 over all classes together; for single labels, this is the accuracy."""
        return float(self._together().f1[0])

    def _macro(self, values: np.ndarray) -> float:
        present = self.tp + self.fp + self.fn > 0
        return float(values[present].mean()) if present.any() else 0.0

    def _together(self) -> "Counts":
        return Counts(*(np.atleast_1d(part.sum()) for part in (self.tp, self.fp, self.fn)))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def counts(predicted: np.ndarray, truth: np.ndarray) -> Counts:
    """Counts of bool [n, C] predicted and true."""
    predicted, truth = predicted.astype(bool), truth.astype(bool)
    pairs = (predicted & truth, predicted & ~truth, ~predicted & truth)
    return Counts(*(pair.sum(axis=0, dtype=np.int64) for pair in pairs))


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Bool [n, C] of class numbers int [n]; a number that is no class has no column."""
    return labels[:, None] == np.arange(classes)


def confusions(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Int64 [C, C]: how often class i (row) was predicted as class j (column), of class numbers int [n]; adds up."""
    _check_classes(predicted, classes)
    _check_classes(truth, classes)
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _check_classes(labels: np.ndarray, classes: int) -> None:
    strange = labels[(labels < 0) | (labels >= classes)]
    if len(strange):
        raise ValueError(
            f"class {strange[0]} is not in [0, {classes}), nor are {len(strange) - 1} more; leave such examples out"
        )


def hits(scores: np.ndarray, truth: np.ndarray, top: int) -> np.ndarray:
    """Float64 [n]: whether the true class is among the `top` best scored.

    Classes with equal scores are ordered at random: the result is the probability. Raises ValueError for a NaN.

    Args:
      scores: [n, C].
      truth: class numbers, int [n].
      top: at least 1.
    """
    scores = checked_scores(scores)
    _check_classes(truth, scores.shape[1])
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    above, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return np.clip((top - above) / equal, 0.0, 1.0)


def top_k_accuracy(scores: np.ndarray, truth: np.ndarray, top: int = 1) -> Mean:
    """The mean of `hits`."""
    return Mean.of(hits(scores, truth, top))


def precision_recall(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The curve of scores [n] and bool truth [n]: (thresholds, precisions, recalls), float64 [distinct scores] each.

    Thresholds fall; everything that scores at least the threshold is predicted, so equal scores are one step. Recall is
    NaN if nothing is true. Raises ValueError for a NaN.
    """
    thresholds, tp, predicted = _curve(scores, truth)
    with np.errstate(invalid="ignore"):
        return thresholds, tp / predicted, tp / np.float64(np.count_nonzero(truth))


def _curve(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, true positives, and predicted examples at each distinct score, from the highest down."""
    scores = checked_scores(scores)
    order = np.argsort(-scores, kind="stable")
    ranked, tp = scores[order], np.cumsum(truth[order].astype(np.int64))
    last = np.flatnonzero(ranked != np.append(ranked[1:], np.nan))  # of each distinct score
    return ranked[last], tp[last], last + 1


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Average precision of scores [n] and bool truth [n]: the sum of the steps in recall times the precision there.

    Equal scores are one step, and nothing is interpolated, as in scikit-learn. NaN if nothing is true.
    """
    if not truth.any():
        return float("nan")
    _, precision, recall = precision_recall(scores, truth)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def mean_average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """The mean of the classes' average precisions, of scores [n, C] and bool truth [n, C].

    Classes that never occur do not count. NaN if none occurs.
    """
    return Mean.of([average_precision(*column) for column in zip(scores.T, truth.T, strict=True)]).value


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The threshold with the best F1, of several the highest, of scores [n] and bool truth [n].

    Infinite if nothing is true. Choose thresholds on other examples than those that they are measured on.
    """
    if not truth.any():
        return float("inf")
    thresholds, tp, predicted = _curve(scores, truth)
    return float(thresholds[np.argmax(2 * tp / (predicted + np.count_nonzero(truth)))])


def threshold_at_recall(scores: np.ndarray, truth: np.ndarray, recall: float) -> float:
    """The highest threshold with at least this recall, in (0, 1], of scores [n] and bool truth [n].

    Infinite if nothing is true.
    """
    if not truth.any():
        return float("inf")
    thresholds, _, recalls = precision_recall(scores, truth)
    return float(thresholds[np.argmax(recalls >= recall)])


def precision_at_recall(scores: np.ndarray, truth: np.ndarray, recall: float) -> tuple[float, float]:
    """The best precision among the thresholds with at least this recall, and the highest threshold that has it.

    (NaN, infinite) if nothing is true.
    """
    if not truth.any():
        return float("nan"), float("inf")
    thresholds, precision, recalls = precision_recall(scores, truth)
    best = int(np.argmax(np.where(recalls >= recall, precision, -1.0)))
    return float(precision[best]), float(thresholds[best])


def recall_at_precision(scores: np.ndarray, truth: np.ndarray, precision: float) -> tuple[float, float]:
    """The best recall among the thresholds with at least this precision, and the highest threshold that has it.

    (0, infinite) if no threshold is so precise, (NaN, infinite) if nothing is true.
    """
    if not truth.any():
        return float("nan"), float("inf")
    thresholds, precisions, recalls = precision_recall(scores, truth)
    allowed = np.where(precisions >= precision, recalls, 0.0)
    best = int(np.argmax(allowed))
    return (float(allowed[best]), float(thresholds[best])) if allowed[best] else (0.0, float("inf"))


def frontier(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points of `precision_recall` for which no other has at least their precision and at least their recall.

    Along it, thresholds and precisions fall and recalls rise. No points if nothing is true.
    """
    if not truth.any():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    thresholds, precisions, recalls = precision_recall(scores, truth)
    later = np.maximum.accumulate(np.append(precisions[1:], -1.0)[::-1])[::-1]  # the best of all after each
    kept = (precisions > later) & (np.diff(recalls, prepend=0.0) > 0)
    return thresholds[kept], precisions[kept], recalls[kept]


def best_thresholds(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Float64 [C]: `best_threshold` of each class, of scores [n, C] and bool truth [n, C]."""
    return np.array([best_threshold(*column) for column in zip(scores.T, truth.T, strict=True)])


def thresholds_at_recall(scores: np.ndarray, truth: np.ndarray, recall: float) -> np.ndarray:
    """Float64 [C]: `threshold_at_recall` of each class, of scores [n, C] and bool truth [n, C]."""
    return np.array([threshold_at_recall(*column, recall) for column in zip(scores.T, truth.T, strict=True)])


@dataclasses.dataclass(frozen=True)
class Reliability:
    """A reliability diagram (Guo et al. 2017, section 2): sums over the examples of each bin, [bins]; they add up.

    Bin b of B holds the confidences in (b / B, (b + 1) / B], the first one also 0.

    Attributes:
      count: examples.
      confidence: the sum of their confidences.
      correct: how many of them are correct.
    """

    count: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(self.count + other.count, self.confidence + other.confidence, self.correct + other.correct)

    @property
    def error(self) -> float:
        """The expected calibration error (Guo et al. 2017, equation 3).

        The mean of |accuracy - confidence| over the bins, weighted by their counts. NaN without examples.
        """
        total = self.count.sum()
        return float(np.abs(self.correct - self.confidence).sum() / total) if total else float("nan")


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> Reliability:
    """Sums of confidences in [0, 1], and of what is correct, bool, in `bins` bins of equal width.

    For single labels, `confidence` [n] is the probability of the predicted class, and `correct` whether it is the true
    one; for several labels, all probabilities [n, C], and whether each class is true. Raises ValueError for a
    confidence out of [0, 1], NaN included.
    """
    confidence, correct = np.asarray(confidence, np.float64).ravel(), np.asarray(correct, np.float64).ravel()
    strange = confidence[~((confidence >= 0) & (confidence <= 1 + ROUNDING))]
    if len(strange):
        raise ValueError(f"a confidence is {strange[0]}, not a probability in [0, 1]; pass probabilities, not logits")
    # Compared with the borders, not multiplied by their number: 7 / 25 * 25 is more than 7.
    places = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    return Reliability(*(np.bincount(places, weights, minlength=bins) for weights in (None, confidence, correct)))


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """The expected calibration error; arguments as for `reliability`."""
    return reliability(confidence, correct, bins).error


def temperature(logits: np.ndarray, truth: np.ndarray, multiple: bool = False) -> float:
    """The temperature in [0.01, 100] with the least negative log-likelihood of logits / temperature.

    Temperature scaling (Guo et al. 2017, section 4.2).
    The loss is convex in the inverse of the temperature, so that its slope has one zero; without a zero in the range,
    the result is the end of the range with the smaller loss, and 1 where all temperatures are equally good.

    Args:
      logits: float [n, C], of examples that the model was not trained on (the validation split). All are finite.
      truth: bool [n, C]; without `multiple`, one class for each example.
      multiple: whether each class has a sigmoid of its own; otherwise all of them a softmax.

    Raises:
      ValueError: a logit is not finite, or an example does not have exactly one class.
    """
    logits, truth = np.asarray(logits, np.float64), np.asarray(truth, bool)
    if not np.isfinite(logits).all():
        raise ValueError(f"{int((~np.isfinite(logits)).sum())} logits are not finite; check the model's outputs")
    if not multiple and not (truth.sum(axis=1) == 1).all():
        raise ValueError(
            "an example does not have exactly one class, as a softmax needs; set `multiple`, or leave such examples out"
        )
    slope = _sigmoid_slope if multiple else _softmax_slope
    if slope(1.0, logits, truth) == 0:
        return 1.0
    low, high = -np.log(HIGHEST), np.log(HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(np.exp(middle), logits, truth) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def _softmax_slope(inverse: float, logits: np.ndarray, truth: np.ndarray) -> float:
    """The derivative of the negative log-likelihood by the inverse of the temperature."""
    logits = logits - logits.max(axis=1, keepdims=True)  # equal ones are 0, so that rounding gives them no slope
    weights = np.exp(inverse * logits)
    expected = (weights * logits).sum(axis=1) / weights.sum(axis=1)
    return float(expected.sum() - logits[truth].sum())


def _sigmoid_slope(inverse: float, logits: np.ndarray, truth: np.ndarray) -> float:
    """The same for sigmoids; tanh does not overflow."""
    return float((logits * (0.5 + 0.5 * np.tanh(0.5 * inverse * logits) - truth)).sum())
