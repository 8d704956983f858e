"""Hierarchical k-means."""

import hypothesis
import numpy as np
import pytest
import scipy.sparse
from hypothesis import strategies as st

from videobert_jax.visual_words import kmeans
from videobert_jax.visual_words.kmeans import FAST, THOROUGH, Effort, fit_tree, k_means, nearest, squared_distances


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


@pytest.mark.parametrize("space", [kmeans._Space, kmeans._Pairs])
def test_an_emptied_cluster_is_seeded_again(space) -> None:
    points = np.float32([[0], [1], [10], [11]])
    clusters, labels, error = kmeans._lloyd(space(points), np.array([0, 0, 0]), 0)
    assert len(set(labels)) == 3
    assert error == pytest.approx(0.5)
    assert sorted(clusters.means(points)[:, 0]) == [0.5, 10, 11]


def seeds_of(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    return points[kmeans._seeds(kmeans._Space(points), len(points), k, np.random.default_rng(seed))]


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


def test_points_far_from_zero_reach_the_leaves_that_were_fitted_on_them() -> None:
    points = blobs(12, 10, spread=0.5) + np.float32(1e6)
    tree = fit_tree(points, branching=3, depth=3, seed=0)
    leaves = tree.assign(points)
    assert set(leaves) == set(range(tree.size))
    assert tree.size == 27
    error = np.mean(np.sum((points - tree.centroids[leaves]) ** 2, axis=1))
    assert error < 0.1 * points.var(axis=0).sum()


@hypothesis.settings(max_examples=80, deadline=None, derandomize=True)
@hypothesis.given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 50)),
    distinct=st.integers(1, 40),
    scale=st.sampled_from([1e-42, 1e-20, 1e-3, 1.0, 1e3, 1e14]),
    offset=st.sampled_from([0.0, 1e6]),
    branching=st.sampled_from([2, 3, 12, 65_536]),
    depth=st.sampled_from([1, 2, 16]),
    memory=st.sampled_from([1, 4096, 1 << 30]),
)
def test_whatever_the_points_every_leaf_has_one(seed, shape, distinct, scale, offset, branching, depth, memory) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal((distinct, shape[1])) * scale + offset).astype(np.float32)
    points = values[rng.integers(distinct, size=shape[0])]
    tree = fit_tree(points, branching, depth, seed, memory=memory)
    leaves = tree.assign(points)
    assert 1 <= tree.size <= min(len(np.unique(points, axis=0)), branching**depth)
    assert set(leaves) == set(range(tree.size))
    assert np.isfinite(tree.nodes).all()
    assert tree.nodes.tobytes() == fit_tree(points, branching, depth, seed, memory=memory).nodes.tobytes()


def test_squares_too_small_for_single_precision_do_no_harm() -> None:
    points = blobs(60, 1) * np.float32(1e-21)
    tree = fit_tree(points, branching=12, depth=3, seed=0)
    assert set(tree.assign(points)) == set(range(tree.size))


@pytest.mark.parametrize(("total", "width"), [(60, 80), (60, 8)])
def test_clusters_are_the_same_however_they_are_computed(monkeypatch, total, width) -> None:
    points = blobs(15, total // 15, width, spread=2.0)
    expected = k_means(points, 5, np.random.default_rng(0))
    for block in (1, 70, 4000):  # sparse memberships and a row at a time; more rows; distances among all
        monkeypatch.setattr(kmeans, "BLOCK", block)
        centres, labels = k_means(points, 5, np.random.default_rng(0))
        np.testing.assert_array_equal(labels, expected[1])
        np.testing.assert_allclose(centres, expected[0], atol=1e-4)
        marks = kmeans.Clusters(np.arange(60), labels).marks(60)
        assert scipy.sparse.issparse(marks) == (block < 60 * 5)


def test_distances_are_computed_a_block_at_a_time(monkeypatch) -> None:
    points, centres = blobs(50, 4, spread=1.0), blobs(30, 1, seed=1)
    expected = squared_distances(points, centres)
    asked = []

    def watched(*arguments: np.ndarray) -> np.ndarray:
        asked.append(squared_distances(*arguments))
        return asked[-1]

    monkeypatch.setattr(kmeans, "squared_distances", watched)
    for block, calls in ((100, 67), (1, 200), (1 << 22, 1)):
        monkeypatch.setattr(kmeans, "BLOCK", block)
        asked.clear()
        labels, least = nearest(points, centres)
        assert (len(asked), max(found.size for found in asked) <= max(block, 30)) == (calls, True)
        np.testing.assert_array_equal(labels, expected.argmin(axis=1))
        np.testing.assert_allclose(least, expected.min(axis=1), rtol=1e-5)


def test_a_large_tree_samples_large_nodes_and_takes_trouble_over_small_ones(monkeypatch) -> None:
    points = blobs(64, 60, spread=1.0)
    thorough = fit_tree(points, branching=4, depth=5, seed=0)
    calls = []

    def watched(points: np.ndarray, k: int, rng: np.random.Generator, effort: Effort) -> tuple[np.ndarray, np.ndarray]:
        calls.append((len(points), effort))
        return k_means(points, k, rng, effort)

    monkeypatch.setattr(kmeans, "k_means", watched)
    fit_tree(points, branching=4, depth=2, seed=0)
    assert {effort for _, effort in calls} == {THOROUGH}
    assert calls[0][0] == len(points)
    calls.clear()
    monkeypatch.setattr(kmeans, "THOROUGH_NUMBERS", points.size - 1)
    fast = fit_tree(points, branching=4, depth=5, seed=0)
    assert calls[0] == (4 * FAST.sample, FAST)
    assert {effort for total, effort in calls if total <= 16} == {THOROUGH}
    assert {effort for total, effort in calls if total > 16} == {FAST}
    errors = [np.sum((points - tree.centroids[tree.assign(points)]) ** 2) for tree in (fast, thorough)]
    assert errors[0] < 1.1 * errors[1]  # one run where the other has three


def test_a_run_ends_when_few_points_still_move() -> None:
    points = np.random.default_rng(0).standard_normal((4000, 2)).astype(np.float32)
    rounds = {}
    for unsettled in (0.0, 0.01, 0.5):
        space = kmeans._Space(points)
        watched, reach = [], space.nearest
        space.nearest = lambda clusters, watched=watched, reach=reach: watched.append(1) or reach(clusters)
        kmeans._lloyd(space, np.arange(8), unsettled)
        rounds[unsettled] = len(watched)
    assert rounds[0.0] > rounds[0.01] > rounds[0.5] == 2
    assert rounds[0.0] <= kmeans.ITERATIONS + 1
