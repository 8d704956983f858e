"""Means that can be added, and the check that all metrics make of scores."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True)
class Mean:
    """The sum of a metric over examples and their count; the sums and counts of parts of a data set add up."""

    sum: float = 0.0
    count: float = 0.0

    @classmethod
    def of(cls, values: ArrayLike) -> "Mean":
        """The mean of values of any shape, without those that are NaN (not defined)."""
        array = np.asarray(values, np.float64)
        defined = array[~np.isnan(array)]
        return cls(float(defined.sum()), float(defined.size))

    def __add__(self, other: "Mean") -> "Mean":
        return Mean(self.sum + other.sum, self.count + other.count)

    @property
    def value(self) -> float:
        """The mean; NaN if nothing was counted."""
        return self.sum / self.count if self.count else float("nan")


def checked_scores(scores: ArrayLike) -> np.ndarray:
    """The scores in float64.

    Raises ValueError if one is NaN. Comparisons with NaN are false, so it would rank above every other score.
    """
    array = np.asarray(scores, np.float64)
    if missing := int(np.isnan(array).sum()):
        raise ValueError(f"{missing} of {array.size} scores are NaN, which has no rank; check the model's outputs")
    return array
