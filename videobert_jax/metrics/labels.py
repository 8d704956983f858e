"""Scores of classifiers: by their labels, and by how well their probabilities are founded.

n examples, C classes. What adds up over examples is given as counts, so that parts of a data set can be added.
"""

import dataclasses

import numpy as np
from scipy import optimize


@dataclasses.dataclass(frozen=True)
class Counts:
    """How often each class was found, found wrongly and missed: int64 [C] each. Counts of parts add up."""

    found: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.found + other.found, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> np.ndarray:
        """Float64 [C]: the share of a class's findings that are right; 0 for a class that is never found."""
        return _ratio(self.found, self.found + self.wrong)

    @property
    def recall(self) -> np.ndarray:
        """Float64 [C]: the share of a class that is found; 0 for a class that never occurs."""
        return _ratio(self.found, self.found + self.missed)

    @property
    def f1(self) -> np.ndarray:
        """Float64 [C]: the harmonic mean of the two; 0 where a class neither occurs nor is found."""
        return _ratio(2 * self.found, 2 * self.found + self.wrong + self.missed)

    @property
    def macro_f1(self) -> float:
        """The mean over the classes that occur or are found, each counting the same; 0 if there is none."""
        present = self.found + self.wrong + self.missed > 0
        return float(self.f1[present].mean()) if present.any() else 0.0

    @property
    def micro_f1(self) -> float:
        """Over all examples and classes together; for one class an example, this is the accuracy."""
        total = Counts(*(np.atleast_1d(part.sum()) for part in (self.found, self.wrong, self.missed)))
        return float(total.f1[0])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def counts(predicted: np.ndarray, truth: np.ndarray) -> Counts:
    """Counts for bool [n, C] predicted and true; an example may have any number of classes."""
    predicted, truth = predicted.astype(bool), truth.astype(bool)
    pairs = (predicted & truth, predicted & ~truth, ~predicted & truth)
    return Counts(*(pair.sum(axis=0, dtype=np.int64) for pair in pairs))


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Bool [n, C] of class numbers int [n]."""
    return labels[:, None] == np.arange(classes)


def confusions(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Int64 [C, C]: how often each class (row) was taken for each (column), for class numbers int [n]."""
    flat = np.bincount(truth * classes + predicted, minlength=classes**2)
    return flat.reshape(classes, classes)


def hits(scores: np.ndarray, truth: np.ndarray, top: int) -> np.ndarray:
    """Float64 [n]: the chance that a true class int [n] is among the `top` of scores [n, C], ties broken by chance."""
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    above, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return np.clip((top - above) / equal, 0.0, 1.0)


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """The step-wise area under precision by recall, of scores [n] and bool truth [n]; equal scores are one threshold.

    NaN if nothing is true, since recall is not defined then.
    """
    if not truth.any():
        return float("nan")
    thresholds, precision, recall = precision_recall(scores, truth)
    del thresholds
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At each threshold, from the highest score down: (threshold, precision, recall), float64 [distinct scores] each.

    Everything that scores at least the threshold is found. Recall is NaN if nothing is true.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(truth[order].astype(np.int64))
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each distinct score
    with np.errstate(invalid="ignore"):
        recall = right[last] / np.float64(right[-1])
    return ranked[last], right[last] / (last + 1.0), recall


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The highest threshold with the best F1, of scores [n] and bool truth [n]; infinite if nothing is true."""
    if not truth.any():
        return float("inf")
    thresholds, precision, recall = precision_recall(scores, truth)
    f1 = _ratio(2 * precision * recall, precision + recall)
    return float(thresholds[np.argmax(f1)])


def precision_at_recall(scores: np.ndarray, truth: np.ndarray, recall: float) -> tuple[float, float]:
    """The best precision that keeps at least this recall, and the highest threshold that gives it.

    (NaN, infinite) if nothing is true.
    """
    if not truth.any():
        return float("nan"), float("inf")
    thresholds, precision, recalls = precision_recall(scores, truth)
    allowed = np.where(recalls >= recall, precision, -1.0)
    best = int(np.argmax(allowed))
    return float(precision[best]), float(thresholds[best])


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """The expected calibration error (Guo et al. 2017, equation 3), of `bins` bins of equal width in (0, 1].

    The mean, weighted by the examples in each bin, of how far their confidence [n] is from the share that is correct
    [n]. A confidence of 0 is in the first bin.
    """
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    sums = [np.bincount(places, weights, minlength=bins) for weights in (confidence, correct.astype(np.float64))]
    return float(np.abs(sums[0] - sums[1]).sum() / len(confidence))


def temperature(logits: np.ndarray, truth: np.ndarray, multiple: bool = False) -> float:
    """The temperature in [0.01, 100] by which logits [n, C] have to be divided to be likeliest (Guo et al. 2017, 4.2).

    Args:
      logits: of examples that nothing was trained on.
      truth: bool [n, C].
      multiple: whether each class has a sigmoid of its own; else all together a softmax.

    The likelihood has one maximum.
    """
    logits, truth = logits.astype(np.float64), truth.astype(bool)

    def cost(logarithm: float) -> float:
        scaled = logits * np.exp(-logarithm)
        if multiple:
            return float(np.logaddexp(0.0, np.where(truth, -scaled, scaled)).sum())
        top = scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0] - scaled[truth]).sum())

    bounds = np.log([0.01, 100.0])
    return float(np.exp(optimize.minimize_scalar(cost, bounds=bounds, options={"xatol": 1e-6}).x))
