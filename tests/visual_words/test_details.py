"""Projected features and further words of clips."""

import pathlib

import numpy as np
import pytest

from videobert_jax.errors import DamagedError
from videobert_jax.visual_words import details, vocabulary
from videobert_jax.visual_words.details import Details

D, P = 12, 6


def corpus(clips: int = 400) -> list[np.ndarray]:
    """Clips around ten places, with most of their variance in a few directions."""
    rng = np.random.default_rng(0)
    scales = 2.0 ** -np.arange(D)
    points = rng.normal(size=(10, D)).repeat(clips // 10, axis=0) + 0.5 * rng.normal(size=(clips, D))
    return np.split((points * scales)[rng.permutation(clips)].astype(np.float32), 4)


def fitted(quantisation: str = "residual", codebooks: int = 3, size: int = P) -> tuple[Details, vocabulary.Vocabulary]:
    words = vocabulary.fit(np.concatenate(corpus()), branching=10, depth=1, seed=0)
    return details.fit(corpus(), words, size, codebooks, 8, quantisation, seed=0), words


@pytest.mark.parametrize("quantisation", ["residual", "product"])
def test_each_further_word_says_more_of_the_clip(quantisation: str) -> None:
    found, words = fitted(quantisation)
    clips = np.concatenate(corpus())
    visual_ids = words.assign(clips)
    features, codes = found(clips, visual_ids)
    assert (features.shape, codes.shape, features.dtype) == ((400, P), (400, 3), np.float16)
    told = found.centroids[visual_ids]
    errors = [np.square(features - told).sum()]
    for number in range(3):
        told = told + found.codebooks[number, codes[:, number]]
        errors.append(np.square(features - told).sum())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.4 * errors[0]


def test_words_of_product_quantisation_have_columns_of_their_own() -> None:
    codebooks = fitted("product")[0].codebooks
    for number, codebook in enumerate(codebooks):
        elsewhere = np.delete(np.arange(P), range(2 * number, 2 * number + 2))
        assert not codebook[:, elsewhere].any()
        assert codebook[:, 2 * number].any()


def test_centroids_are_means_of_their_clips() -> None:
    found, words = fitted(codebooks=0)
    clips = np.concatenate(corpus())
    visual_ids = words.assign(clips)
    features, codes = found(clips, visual_ids)
    assert codes.shape == (400, 0)
    for word in range(words.size):
        own = features[visual_ids == word].astype(np.float32)
        np.testing.assert_allclose(found.centroids[word], own.mean(axis=0), atol=2e-3)  # of float16


def test_a_small_corpus_fills_the_rest_with_zeros() -> None:
    found, words = fitted(size=40)
    features, _ = found(corpus()[0], words.assign(corpus()[0]))
    assert features.shape == (100, 40)
    assert not features[:, D:].any()


def test_what_is_saved_is_loaded(tmp_path: pathlib.Path) -> None:
    found, words = fitted()
    found.save(tmp_path / "details.npz")
    loaded = Details.load(tmp_path / "details.npz")
    clips = corpus()[1]
    for one, other in zip(found(clips, words.assign(clips)), loaded(clips, words.assign(clips)), strict=True):
        np.testing.assert_array_equal(one, other)
    (tmp_path / "details.npz").write_bytes(b"PK")
    with pytest.raises(DamagedError, match=r"details\.npz"):
        Details.load(tmp_path / "details.npz")
