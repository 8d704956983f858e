"""The quality of a visual vocabulary."""

import dataclasses

import numpy as np
import pytest

from videobert_jax.visual_words.quality import compare_with_flat, quality
from videobert_jax.visual_words.vocabulary import fit


def points_at(counts: list[int], seed: int = 0) -> np.ndarray:
    return np.repeat(np.random.default_rng(seed).standard_normal((len(counts), 16)), counts, axis=0).astype(np.float32)


def test_quality_of_a_perfect_and_of_a_poor_vocabulary() -> None:
    features = points_at([25, 25, 25, 25])
    perfect = quality(fit(features, 2, 2, seed=0), np.split(features, [7, 30]))
    assert dataclasses.astuple(perfect)[:4] == pytest.approx((4, 4, 4, 0), abs=1e-6)
    one = quality(fit(features[:1], 2, 2, seed=0), [features])
    assert (one.size, one.used, one.perplexity) == (1, 1, 1)
    assert one.error > 1


def test_usage_counts_words_by_how_frequent_they_are() -> None:
    vocabulary = fit(points_at([9, 9, 9, 9, 9]), 5, 1, seed=0)
    assert quality(vocabulary, [points_at([1, 3, 4, 7])]).usage == (2 - 1, 1, 1, 2)


def test_error_is_the_share_of_the_variance_that_is_left() -> None:
    features = np.random.default_rng(1).standard_normal((300, 4)).astype(np.float32) + 5
    vocabulary = fit(features, 3, 1, seed=0)
    points = vocabulary.projection(features)
    residual = np.sum((points - vocabulary.centroids[vocabulary.assign(features)]) ** 2)
    assert quality(vocabulary, np.split(features, 3)).error == pytest.approx(residual / points.var(axis=0).sum() / 300)


def test_flat_k_means_is_compared_on_as_many_levels_as_there_are_clips_for() -> None:
    sample = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    compared = compare_with_flat(sample, branching=3, depth=9, seed=0)
    assert (compared.clips, compared.words) == (300, 27)
    assert 0 < compared.flat_error < compared.error < 1.3 * compared.flat_error
    assert compare_with_flat(sample, branching=3, depth=2, seed=0).words == 9
    assert compare_with_flat(sample[:2], branching=3, depth=2, seed=0).words == 2
