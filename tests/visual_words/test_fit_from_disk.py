"""Fitting on more clips than memory holds."""

import numpy as np
import pytest

from videobert_jax.visual_words import fit_from_disk, kmeans
from videobert_jax.visual_words.disk_array import write_rows
from videobert_jax.visual_words.fit_from_disk import fit_videos, sample_clips
from videobert_jax.visual_words.kmeans import fit_tree
from videobert_jax.visual_words.quality import quality
from videobert_jax.visual_words.vocabulary import Part, fit

FACTORS = ((Part(6, 4),), (Part(10, 8),))


def clips() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((30, 16)) * 3
    return (centres[rng.integers(30, size=3000)] + rng.standard_normal((3000, 16)) / 2).astype(np.float32)


def videos() -> list[np.ndarray]:
    return np.split(clips(), np.sort(np.random.default_rng(1).integers(3000, size=40)))


@pytest.mark.parametrize("factors", [(), FACTORS])
def test_what_fits_into_memory_is_fitted_bitwise_as_ever(tmp_path, factors) -> None:
    streamed = fit_videos(videos(), 4, 3, 0, factors, 1 << 21, tmp_path)
    assert streamed.centroids.tobytes() == fit(clips(), 4, 3, 0, factors).centroids.tobytes()


@pytest.mark.parametrize("factors", [(), FACTORS])
def test_what_does_not_fit_is_fitted_nearly_as_well_and_again_the_same(tmp_path, factors) -> None:
    first, again = (fit_videos(videos(), 4, 3, 0, factors, 1 << 15, tmp_path) for _ in range(2))
    assert first.centroids.tobytes() == again.centroids.tobytes()
    whole = fit(clips(), 4, 3, 0, factors)
    assert first.projection.mean.tobytes() == whole.projection.mean.tobytes()
    assert first.centroids.tobytes() != whole.centroids.tobytes()
    assert quality(first, videos()).error < 1.15 * quality(whole, videos()).error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("width", "bytes_each"), [(16, 4 * (2 * 16 + 64)), (100, 4 * 4 * 100)])
def test_clips_are_loaded_together_only_where_they_fit(tmp_path, monkeypatch, width, bytes_each) -> None:
    own, loaded = np.ones((40, width), np.float32), []
    monkeypatch.setattr(fit_from_disk, "fit", lambda features, *_: loaded.append(features.shape))
    fit_videos([own, own], 2, 1, 0, (), 80 * bytes_each - 1, tmp_path)
    assert loaded == []
    fit_videos([own, own], 2, 1, 0, (), 80 * bytes_each, tmp_path)
    assert loaded == [(80, width)]


def test_no_more_rows_are_read_at_once_than_fit(tmp_path, monkeypatch) -> None:
    points = clips()
    stored = write_rows(tmp_path / "points", [points], 16)
    memory, asked = 1 << 16, []

    class Watched:
        shape = stored.shape

        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            asked.append(len(rows))
            return stored[rows]

    tree = fit_tree(Watched(), 4, 3, 0, memory=memory)
    assert max(asked) * kmeans.bytes_per_point(16) <= memory
    assert sum(asked) < 6 * len(points)  # about once or twice a level
    assert sorted(set(tree.assign(points))) == list(range(tree.size))


def test_rows_on_disk_give_the_same_tree_as_rows_in_memory(tmp_path) -> None:
    points = clips()
    stored = write_rows(tmp_path / "points", [points], 16)
    for memory in (1 << 14, 1 << 24):
        trees = [fit_tree(source, 3, 3, 0, memory=memory) for source in (points, stored)]
        assert trees[0].nodes.tobytes() == trees[1].nodes.tobytes()


def test_hardly_any_memory_still_gives_a_tree(tmp_path) -> None:
    vocabulary = fit_videos(videos(), 4, 3, 0, (), 1, tmp_path)
    assert 48 < vocabulary.size <= 64
    assert set(vocabulary.assign(clips())) == set(range(vocabulary.size))


@pytest.mark.parametrize("memory", [1, 1 << 21])
def test_a_factor_in_which_nothing_differs_gives_one_word(tmp_path, memory) -> None:
    same = [np.concatenate([np.ones((len(video), 6), np.float32), video[:, 6:]], axis=1) for video in videos()]
    still = fit_videos(same, 4, 2, 0, ((*FACTORS[0], Part(10, 0)),), memory, tmp_path)
    assert still.size == 1
    assert not still.assign(np.concatenate(same)).any()
    assert fit_videos(same, 4, 3, 0, FACTORS, memory, tmp_path).trees[0].size == 1


def test_means_and_residuals_of_blocks_are_those_of_the_whole() -> None:
    groups = np.random.default_rng(2).integers(5, size=3000)
    means = np.stack([clips()[groups == group].mean(axis=0) for group in range(5)])
    np.testing.assert_allclose(fit_from_disk._means(videos(), groups, (5, 16)), means, atol=1e-5)
    residuals = np.concatenate(list(fit_from_disk._residuals(videos(), groups, means)))
    np.testing.assert_array_equal(residuals, clips() - means[groups])


def test_sample_is_evenly_spaced_over_all_videos() -> None:
    stride = 3000 // 500
    np.testing.assert_array_equal(sample_clips(videos(), 500), clips()[::stride])
    np.testing.assert_array_equal(sample_clips(videos(), 10_000), clips())
