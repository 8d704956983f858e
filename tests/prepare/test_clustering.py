"""Hierarchical k-means."""

import numpy as np
import pytest

from videobert_jax.prepare import clustering
from videobert_jax.prepare.clustering import fit_tree, k_means, squared_distances


def blobs(clusters: int, each: int, width: int = 16, spread: float = 0.05, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, width)) * 3
    noise = spread * rng.standard_normal((clusters * each, width))
    return (np.repeat(centres, each, axis=0) + noise).astype(np.float32)


def test_separate_blobs_become_separate_leaves() -> None:
    points = blobs(9, 20) / 20 + np.repeat(blobs(3, 1, seed=1), 60, axis=0)  # three groups of three blobs
    leaves = fit_tree(points, branching=3, depth=2, seed=0).assign(points).reshape(9, 20)
    assert (leaves == leaves[:, :1]).all()
    assert sorted(leaves[:, 0]) == list(range(9))


def test_assign_descends_to_the_nearest_child_at_every_level() -> None:
    points = blobs(8, 30, spread=1.0)
    tree = fit_tree(points, branching=3, depth=3, seed=1)
    for point, leaf in zip(points, tree.assign(points), strict=True):
        node = 0
        while tree.child_count[node]:
            children = range(tree.first_child[node], tree.first_child[node] + tree.child_count[node])
            node = min(children, key=lambda child: np.sum((point - tree.nodes[child]) ** 2))
        assert tree.leaf_ids[node] == leaf


def test_centroids_are_the_means_of_their_points() -> None:
    points = blobs(10, 40, spread=0.5)
    points[:80] = points[:1] * 9  # one branch is cut short, and is not the first
    tree = fit_tree(points, branching=4, depth=2, seed=0)
    assert 1 <= np.argmin(tree.child_count[1:]) < 4
    leaves = tree.assign(points)
    means = np.stack([points[leaves == leaf].mean(axis=0) for leaf in range(tree.size)])
    np.testing.assert_allclose(tree.centroids, means, atol=1e-4)


def test_ids_are_compact_and_every_leaf_has_a_point() -> None:
    points = blobs(5, 7, spread=1.0)
    tree = fit_tree(points, branching=4, depth=4, seed=0)
    assert set(tree.assign(points)) == set(range(tree.size))
    assert tree.centroids.shape == (tree.size, 16)


def test_leaves_of_a_node_are_adjacent() -> None:
    tree = fit_tree(blobs(5, 7, spread=1.0), branching=3, depth=2, seed=0)

    def leaves(node: int) -> list[int]:
        children = range(tree.first_child[node], tree.first_child[node] + tree.child_count[node])
        return [leaf for child in children for leaf in leaves(child)] if children else [int(tree.leaf_ids[node])]

    assert leaves(0) == list(range(tree.size))


@pytest.mark.parametrize("distinct", [1, 2, 5])
def test_fewer_distinct_points_than_branches_give_fewer_leaves(distinct: int) -> None:
    points = np.tile(blobs(distinct, 1), (6, 1)) + np.float32(1000)
    tree = fit_tree(points, branching=12, depth=3, seed=0)
    leaves = tree.assign(points).reshape(6, distinct)
    assert tree.size == distinct
    assert (leaves == leaves[0]).all()


def test_k_means_finds_well_separated_clusters_of_very_unequal_sizes() -> None:
    rng = np.random.default_rng(0)
    sizes = [500, 3, 3, 200, 3]
    centres = rng.standard_normal((5, 8)) * 10
    points = np.concatenate([c + 0.01 * rng.standard_normal((n, 8)) for c, n in zip(centres, sizes, strict=True)])
    _, labels = k_means(points.astype(np.float32), 5, np.random.default_rng(0))
    assert sorted(np.bincount(labels)) == sorted(sizes)


def test_an_emptied_cluster_is_seeded_again() -> None:
    points = np.float32([[100], [101], [110], [111]])
    centres, labels, error = clustering._lloyd(points, points[:, 0] ** 2, np.float32([[100], [199], [198]]), 0)
    assert len(set(labels)) == 3
    assert error == pytest.approx(0.5)
    assert sorted(centres[:, 0]) in ([100, 101, 110.5], [100.5, 110, 111])


def seeds_of(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    return clustering._seeds(points, np.sum(points**2, axis=1), k, np.random.default_rng(seed))


def test_seeds_are_distinct_points_and_better_than_random_ones() -> None:
    repeated = np.tile(blobs(3, 1, width=100, spread=1.0), (200, 1))
    assert len(seeds_of(repeated - repeated[0], 12, 0)) == 3

    points = blobs(6, 30, width=4, spread=1.0)

    def error(seeds: np.ndarray) -> float:
        return float(squared_distances(points, seeds).min(axis=1).sum())

    greedy = np.mean([error(seeds_of(points, 6, seed)) for seed in range(20)])
    drawn = np.mean([error(np.random.default_rng(seed).choice(points, 6, replace=False)) for seed in range(20)])
    assert greedy < 0.6 * drawn


def test_a_large_common_offset_does_not_blur_the_clusters() -> None:
    points = blobs(4, 10, spread=0.01)
    _, labels = k_means(points + np.float32(3000), 4, np.random.default_rng(0))
    assert all(len(set(labels[start : start + 10])) == 1 for start in range(0, 40, 10))
    assert len(set(labels)) == 4
