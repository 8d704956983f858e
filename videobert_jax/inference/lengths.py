"""Predicts the lengths of the moments that a text describes from its words."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

RIDGE = 1.0


@dataclasses.dataclass(frozen=True)
class Lengths:
    """A ridge regression of log seconds on which words a text has.

    Attributes:
      mean: log seconds of a text without known words.
      weights: of each word, by its id.
    """

    mean: float
    weights: dict[int, float]

    def __call__(self, words: Iterable[int]) -> float:
        """The seconds of a moment that a text of these ids describes."""
        return float(np.exp(self.mean + sum(self.weights.get(word, 0.0) for word in set(words))))

    @classmethod
    def fit(cls, texts: Sequence[Iterable[int]], seconds: Sequence[float]) -> "Lengths":
        """Learns from texts, at least one, each with the seconds of its moments."""
        known = sorted({word for words in texts for word in words})
        table = np.array([np.isin(known, list(words)) for words in texts], np.float64)
        target = np.log(seconds)
        mean = float(target.mean())
        weights = np.linalg.solve(table.T @ table + RIDGE * np.eye(len(known)), table.T @ (target - mean))
        return cls(mean, dict(zip(known, weights.tolist(), strict=True)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"mean": self.mean, "weights": {str(word): weight for word, weight in self.weights.items()}}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Lengths":
        """The inverse of `as_dict`."""
        return cls(float(fields["mean"]), {int(word): float(weight) for word, weight in fields["weights"].items()})
