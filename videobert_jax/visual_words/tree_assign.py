"""Assigns points to the leaves of a tree on an accelerator, in blocks of one shape."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from videobert_jax.visual_words.kmeans import Tree

ROWS = 1024  # points per block, at most; the last block is padded, so that one program serves all
NUMBERS = 1 << 25  # coordinates of children gathered for one block, at most


def assigner(tree: Tree) -> Callable[[np.ndarray], np.ndarray]:
    """Returns `tree.assign` as a function of float32 [n, P], on the fastest device; equal up to ties.

    NumPy on a CPU, where the points of one parent share a matrix product; XLA elsewhere.
    """
    return tree.assign if jax.default_backend() == "cpu" else assigner_by_xla(tree)


def assigner_by_xla(tree: Tree) -> Callable[[np.ndarray], np.ndarray]:
    """Returns `tree.assign` as a function of float32 [n, P] on JAX's default device, which holds the tree."""
    levels = _levels(tree)
    width = max(int(tree.child_count.max()), 1)
    rows = min(max(NUMBERS // (width * tree.nodes.shape[1]), 1), ROWS)
    arrays = jax.device_put((tree.nodes, tree.first_child, tree.child_count))

    def assign(points: np.ndarray) -> np.ndarray:
        leaves = np.zeros(len(points), np.int32)
        for start in range(0, len(points), rows):
            block = points[start : start + rows]
            padded = np.pad(block, ((0, rows - len(block)), (0, 0)))
            reached = np.asarray(_descend(*arrays, padded, width, levels))[: len(block)]
            leaves[start : start + rows] = tree.leaf_ids[reached]
        return leaves

    return assign


def _levels(tree: Tree) -> int:
    """The depth of the deepest leaf; children have higher numbers than their parent."""
    depth = np.zeros(len(tree.nodes), int)
    for node in np.flatnonzero(tree.child_count):
        depth[tree.first_child[node] : tree.first_child[node] + tree.child_count[node]] = depth[node] + 1
    return int(depth.max())


@functools.partial(jax.jit, static_argnames=("width", "levels"))
def _descend(
    nodes: jax.Array, first_child: jax.Array, child_count: jax.Array, points: jax.Array, width: int, levels: int
) -> jax.Array:
    """The node that each of `points` [n, P] reaches, int32 [n]. Sums squared differences, which is exact."""
    place = jnp.arange(width, dtype=jnp.int32)[None]
    node = jnp.zeros(len(points), jnp.int32)
    for _ in range(levels):
        first, count = first_child[node][:, None], child_count[node][:, None]
        children = nodes[
            first + jnp.minimum(place, jnp.maximum(count - 1, 0))
        ]  # [n, width, P], padded with the last one
        distances = jnp.sum((points[:, None] - children) ** 2, axis=-1)
        nearest = jnp.argmin(distances, axis=1).astype(jnp.int32)
        node = jnp.where(count[:, 0] > 0, first[:, 0] + nearest, node)
    return node
