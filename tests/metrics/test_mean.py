"""Means of parts add up, and NaN is either not defined or an error."""

import math

import numpy as np
import pytest

from videobert_jax.metrics.mean import Mean, checked_scores


def test_means_of_parts_add_up() -> None:
    values = np.random.default_rng(0).random(23)
    parts = sum((Mean.of(part) for part in np.array_split(values, 5)), Mean())
    assert parts.value == pytest.approx(values.mean(), abs=1e-12)
    assert parts.count == 23


def test_what_is_not_defined_does_not_count() -> None:
    assert Mean.of([1.0, float("nan"), 0.0]) == Mean(1.0, 2.0)
    assert Mean.of([True, False, True]) == Mean(2.0, 3.0)
    assert math.isnan(Mean.of([float("nan")]).value)
    assert math.isnan(Mean.of([]).value)


def test_scores_have_to_be_numbers() -> None:
    assert checked_scores([1, 2]).dtype == np.float64
    assert checked_scores([-np.inf, np.inf]).tolist() == [-np.inf, np.inf]
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        checked_scores([1.0, float("nan"), 2.0])
