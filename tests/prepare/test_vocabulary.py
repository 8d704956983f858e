"""The visual vocabulary: its tree, its projection and its file."""

import dataclasses

import numpy as np
import pytest

from videobert_jax.prepare import vocabulary as vocabularies
from videobert_jax.prepare.vocabulary import Part, Vocabulary, fit, fit_projection, k_means, quality


def blobs(clusters: int, each: int, width: int = 16, spread: float = 0.05, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, width)) * 3
    return (np.repeat(centres, each, axis=0) + spread * rng.standard_normal((clusters * each, width))).astype(
        np.float32
    )


def test_separate_blobs_become_separate_words() -> None:
    features = blobs(9, 20) / 20 + np.repeat(blobs(3, 1, seed=1), 60, axis=0)  # three groups of three blobs
    words = fit(features, branching=3, depth=2, seed=0).assign(features).reshape(9, 20)
    assert (words == words[:, :1]).all()
    assert sorted(words[:, 0]) == list(range(9))


def test_assign_descends_to_the_nearest_child_at_every_level() -> None:
    features = blobs(8, 30, spread=1.0)
    tree = fit(features, branching=3, depth=3, seed=1)
    points = tree.projection(features)
    for point, word in zip(points, tree.assign(features), strict=True):
        node = 0
        while tree.child_count[node]:
            children = range(tree.first_child[node], tree.first_child[node] + tree.child_count[node])
            node = min(children, key=lambda child: np.sum((point - tree.nodes[child]) ** 2))
        assert tree.leaf_ids[node] == word


def test_centroids_are_the_means_of_their_clips() -> None:
    features = blobs(10, 40, spread=0.5)
    features[:80] = features[:1] * 9  # one branch is cut short, and is not the first
    tree = fit(features, branching=4, depth=2, seed=0)
    assert 1 <= np.argmin(tree.child_count[1:]) < 4
    words = tree.assign(features)
    means = np.stack([tree.projection(features)[words == word].mean(axis=0) for word in range(tree.size)])
    np.testing.assert_allclose(tree.centroids, means, atol=1e-4)


def test_ids_are_compact_and_every_word_is_some_training_clips() -> None:
    features = blobs(5, 7, spread=1.0)
    tree = fit(features, branching=4, depth=4, seed=0)
    assert set(tree.assign(features)) == set(range(tree.size))
    assert tree.centroids.shape == (tree.size, 16)


def test_words_of_a_node_are_adjacent() -> None:
    tree = fit(blobs(5, 7, spread=1.0), branching=3, depth=2, seed=0)

    def words(node: int) -> list[int]:
        children = range(tree.first_child[node], tree.first_child[node] + tree.child_count[node])
        return [word for child in children for word in words(child)] if children else [int(tree.leaf_ids[node])]

    assert words(0) == list(range(tree.size))


@pytest.mark.parametrize("distinct", [1, 2, 5])
def test_fewer_distinct_clips_than_branches_give_fewer_words(distinct: int) -> None:
    features = np.tile(blobs(distinct, 1), (6, 1)) + np.float32(1000)
    tree = fit(features, branching=12, depth=3, seed=0)
    words = tree.assign(features).reshape(6, distinct)
    assert tree.size == distinct
    assert (words == words[0]).all()


def test_same_seed_is_bitwise_the_same_and_another_seed_is_not() -> None:
    features = blobs(30, 10, spread=2.0)
    first, again, other = (fit(features, 4, 3, seed, (Part(8, 4), Part(8, 4))) for seed in (0, 0, 1))
    assert first.nodes.tobytes() == again.nodes.tobytes()
    assert first.leaf_ids.tobytes() == again.leaf_ids.tobytes()
    assert first.nodes.tobytes() != other.nodes.tobytes()


def test_k_means_finds_well_separated_clusters_of_very_unequal_sizes() -> None:
    rng = np.random.default_rng(0)
    sizes = [500, 3, 3, 200, 3]
    centres = rng.standard_normal((5, 8)) * 10
    points = np.concatenate([c + 0.01 * rng.standard_normal((n, 8)) for c, n in zip(centres, sizes, strict=True)])
    _, labels = k_means(points.astype(np.float32), 5, np.random.default_rng(0))
    assert sorted(np.bincount(labels)) == sorted(sizes)


def test_an_emptied_cluster_is_seeded_again() -> None:
    points = np.float32([[100], [101], [110], [111]])
    centres, labels, error = vocabularies._lloyd(points, np.float32([[100], [199], [198]]))
    assert len(set(labels)) == 3
    assert error == pytest.approx(0.5)
    assert sorted(centres[:, 0]) in ([100, 101, 110.5], [100.5, 110, 111])


def test_seeds_are_distinct_points_and_better_than_random_ones() -> None:
    repeated = np.tile(blobs(3, 1, width=100, spread=1.0), (200, 1))
    assert len(vocabularies._seeds(repeated - repeated[0], 12, np.random.default_rng(0))) == 3

    points = blobs(6, 30, width=4, spread=1.0)

    def error(seeds: np.ndarray) -> float:
        return float(vocabularies._squared_distances(points, seeds).min(axis=1).sum())

    greedy = np.mean([error(vocabularies._seeds(points, 6, np.random.default_rng(seed))) for seed in range(20)])
    drawn = np.mean([error(np.random.default_rng(seed).choice(points, 6, replace=False)) for seed in range(20)])
    assert greedy < 0.6 * drawn


def test_a_large_common_offset_does_not_blur_the_clusters() -> None:
    points = blobs(4, 10, spread=0.01)
    _, labels = k_means(points + np.float32(3000), 4, np.random.default_rng(0))
    assert all(len(set(labels[start : start + 10])) == 1 for start in range(0, 40, 10))
    assert len(set(labels)) == 4


def test_projection_whitens_each_part_and_gives_it_its_weight() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((500, 12)) @ np.diag(np.geomspace(100, 0.1, 12)) + 7
    projection = fit_projection(features.astype(np.float32), (Part(8, 5, weight=2.0), Part(4, 4, weight=0.5)))
    points = projection(features.astype(np.float32))
    covariance = np.cov(points.T, bias=True)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(covariance[:5, :5], np.eye(5) * 4 / 5, atol=1e-3)
    np.testing.assert_allclose(covariance[5:, 5:], np.eye(4) * 0.25 / 4, atol=1e-3)


def test_projection_without_whitening_keeps_the_ratios_of_variances() -> None:
    features = np.random.default_rng(0).standard_normal((800, 3)).astype(np.float32) * np.float32([1, 4, 2])
    variances = fit_projection(features, (Part(3, 3, whitening=0.0),))(features).var(axis=0)
    assert variances.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(variances / variances[0], [1, 1 / 4, 1 / 16], rtol=0.15)


def test_projection_leaves_out_directions_without_variance() -> None:
    features = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    features[:, 3:] = features[:, :3]
    assert fit_projection(features, (Part(6, 6),)).blocks[0].shape == (6, 3)


def test_saved_vocabulary_loads_bitwise(tmp_path) -> None:
    features = blobs(6, 5)
    tree = fit(features, 3, 2, seed=0, parts=(Part(10, 3), Part(6, 2)))
    tree.save(tmp_path / "tree.npz")
    tree.save(tmp_path / "again.npz")
    loaded = Vocabulary.load(tmp_path / "tree.npz")
    assert loaded.size == tree.size
    assert loaded.assign(features).tobytes() == tree.assign(features).tobytes()
    assert (tmp_path / "tree.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_another_version_is_an_error_that_names_the_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vocabularies, "VERSION", 99)
    fit(blobs(2, 2), 2, 1, seed=0).save(tmp_path / "tree.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"tree\.npz has vocabulary version 99"):
        Vocabulary.load(tmp_path / "tree.npz")
    np.savez(tmp_path / "other.npz", anything=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz has vocabulary version None"):
        Vocabulary.load(tmp_path / "other.npz")


def test_bad_features_are_errors() -> None:
    features = blobs(2, 3)
    tree = fit(features, 2, 1, seed=0)
    features[4, 2] = np.nan
    with pytest.raises(ValueError, match="clip 4 has a NaN"):
        fit(features, 2, 1, seed=0)
    with pytest.raises(ValueError, match="clip 4 has a NaN"):
        tree.assign(features)
    with pytest.raises(ValueError, match=r"shape \(6, 15\)"):
        tree.assign(features[:, :15])
    with pytest.raises(ValueError, match="add up"):
        fit_projection(features, (Part(5, 2),))
    with pytest.raises(ValueError, match="at least one clip"):
        fit(features[:0], 2, 1, seed=0)


def test_quality_of_a_perfect_and_of_a_poor_vocabulary() -> None:
    features = blobs(4, 25, spread=0.0)
    assert dataclasses.astuple(quality(fit(features, 2, 2, seed=0), features)) == pytest.approx((4, 4, 4, 0), abs=1e-6)
    one = quality(fit(features[:1], 2, 2, seed=0), features)
    assert (one.size, one.used, one.perplexity) == (1, 1, 1)
    assert one.error > 1
