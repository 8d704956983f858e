"""Assignment by XLA against assignment by NumPy."""

import jax
import numpy as np
import pytest

from videobert_jax.visual_words import tree_assign
from videobert_jax.visual_words.kmeans import Tree, fit_tree


def lopsided() -> tuple[Tree, np.ndarray]:
    """A tree with leaves at several depths and nodes with different numbers of children."""
    rng = np.random.default_rng(0)
    points = (rng.standard_normal((40, 8)).repeat(30, axis=0) * 3 + rng.standard_normal((1200, 8))).astype(np.float32)
    points[:300] = points[0]
    points[300:330] = points[300:332:1][:2].repeat(15, axis=0) + 20
    return fit_tree(points, branching=5, depth=3, seed=0), points


@pytest.mark.parametrize("count", [0, 1, 1024, 1200])
def test_xla_reaches_the_same_leaves_as_numpy(count: int) -> None:
    tree, points = lopsided()
    counts = tree.child_count[tree.child_count > 0]
    assert counts.min() < counts.max()
    leaves = tree_assign.assigner_by_xla(tree)(points[:count])
    assert leaves.dtype == np.int32
    np.testing.assert_array_equal(leaves, tree.assign(points[:count]))


def test_xla_serves_a_tree_that_is_one_leaf() -> None:
    tree = fit_tree(np.ones((3, 2), np.float32), branching=4, depth=2, seed=0)
    assert tree_assign.assigner_by_xla(tree)(np.zeros((5, 2), np.float32)).tolist() == [0] * 5


def test_the_accelerator_is_used_where_there_is_one(monkeypatch) -> None:
    tree, points = lopsided()
    assert tree_assign.assigner(tree) == tree.assign
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert tree_assign.assigner(tree) != tree.assign
    np.testing.assert_array_equal(tree_assign.assigner(tree)(points), tree.assign(points))


def test_no_more_children_are_gathered_at_once_than_memory_allows(monkeypatch) -> None:
    tree, points = lopsided()
    shapes = []
    descend = tree_assign._descend
    monkeypatch.setattr(tree_assign, "_descend", lambda *inputs: shapes.append(inputs[3].shape) or descend(*inputs))
    for numbers, rows in ((5 * 8 * 100, 100), (1, 1)):
        monkeypatch.setattr(tree_assign, "NUMBERS", numbers)
        shapes.clear()
        np.testing.assert_array_equal(tree_assign.assigner_by_xla(tree)(points[:301]), tree.assign(points[:301]))
        assert set(shapes) == {(rows, 8)}
