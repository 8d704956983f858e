"""Accuracy of answers to questions, overall and by their type."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from videobert_jax.metrics.mean import Mean

ALL = "all"

# The types of questions in NExT-QA (Xiao et al. 2021), and the kinds by which its authors' evaluation groups them.
NEXT_QA: Mapping[str, tuple[str, ...]] = {
    "CW": ("causal", "causal/why"),
    "CH": ("causal", "causal/how"),
    "TN": ("temporal", "temporal/before_or_after"),
    "TP": ("temporal", "temporal/before_or_after"),
    "TC": ("temporal", "temporal/when"),
    "DC": ("descriptive", "descriptive/count"),
    "DL": ("descriptive", "descriptive/location"),
    "DO": ("descriptive", "descriptive/other"),
}


def accuracy(
    correct: ArrayLike, types: Sequence[str], kinds: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, Mean]:
    """The share of correct answers: under ``all``, and under each kind that occurs, in alphabetical order.

    Args:
      correct: bool [n], or the probability float [n] that the true answer is chosen, such as `labels.hits`.
      types: of the n questions.
      kinds: the kinds that each type counts for, such as `NEXT_QA`; without it, the types are the kinds.

    Raises:
      ValueError: a type is not in `kinds`, or there are not as many types as answers.
    """
    values = np.asarray(correct, np.float64)
    if len(types) != len(values):
        raise ValueError(f"there are {len(types)} types of questions for {len(values)} answers; give each question one")
    if kinds is not None and (unknown := sorted(set(types) - set(kinds))):
        raise ValueError(f"questions are of the types {unknown}, not among {sorted(kinds)}; add them to the kinds")
    by_kind: dict[str, Mean] = {}
    for type_, value in zip(types, values, strict=True):
        for kind in (type_,) if kinds is None else kinds[type_]:
            by_kind[kind] = by_kind.get(kind, Mean()) + Mean.of(value)
    return {ALL: Mean.of(values), **dict(sorted(by_kind.items()))}
