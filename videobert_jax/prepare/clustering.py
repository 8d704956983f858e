"""Hierarchical k-means: a tree of centroids, fitted level by level (Nister and Stewenius 2006).

Every random number comes from (seed, node). Given the same points the result is bitwise the same from run to run; the
one thing outside our hands is the order in which NumPy's BLAS adds, which another BLAS build or number of BLAS threads
may change in the last bit.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from videobert_jax.progress import progress

RESTARTS = 3  # of each node's k-means; the one with the least error is kept
ITERATIONS = 50  # of Lloyd's algorithm, at most
SAME = 1e-5  # squared distances below this share of the squared norms are rounding, so the points are one


@dataclasses.dataclass(frozen=True)
class Tree:
    """A fitted tree. Nodes are numbered breadth first from the root; leaves depth first, so neighbours look alike."""

    nodes: np.ndarray  # float32 [nodes, P], centroids
    first_child: np.ndarray  # int32 [nodes]; the children of a node are adjacent
    child_count: np.ndarray  # int32 [nodes]; 0 for a leaf
    leaf_ids: np.ndarray  # int32 [nodes]; the number of a leaf, -1 elsewhere

    @property
    def size(self) -> int:
        """Number of leaves; at most ``branching ** depth``."""
        return int(self.leaf_ids.max()) + 1

    @property
    def centroids(self) -> np.ndarray:
        """Float32 [size, P]: the centroid of each leaf."""
        leaves = np.flatnonzero(self.child_count == 0)
        return self.nodes[leaves[np.argsort(self.leaf_ids[leaves])]]

    def assign(self, points: np.ndarray) -> np.ndarray:
        """The leaf that each of float32 `points` [n, P] reaches by the nearest child at each level: int32 [n]."""
        node = np.zeros(len(points), np.int32)
        while (inner := self.child_count[node] > 0).any():
            for parent in np.unique(node[inner]):
                rows = np.flatnonzero(node == parent)
                first, count = self.first_child[parent], self.child_count[parent]
                node[rows] = first + squared_distances(points[rows], self.nodes[first : first + count]).argmin(axis=1)
        return self.leaf_ids[node]


def fit_tree(points: np.ndarray, branching: int, depth: int, seed: int, name: str = "k-means") -> Tree:
    """Splits float32 `points` [n, P], n at least 1, `depth` times into `branching`.

    A node with fewer distinct points than `branching` gets fewer children, and one with a single distinct point is a
    leaf, so small or repetitive corpora give fewer than ``branching ** depth`` leaves; every leaf has a point.
    """
    centroids, first_child, child_count = [points.mean(axis=0)], [0], [0]
    level = [(0, np.arange(len(points)))]
    for number in range(depth):
        parents, level = level, []
        for node, rows in progress(parents, len(parents), f"{name}, level {number + 1} of {depth}", "node"):
            centres, labels = k_means(points[rows], branching, np.random.default_rng([seed, node]))
            if len(centres) == 1:
                continue
            first_child[node], child_count[node] = len(centroids), len(centres)
            level += [(len(centroids) + child, rows[labels == child]) for child in range(len(centres))]
            centroids += list(centres)
            first_child += [0] * len(centres)
            child_count += [0] * len(centres)
    first, count = np.array(first_child, np.int32), np.array(child_count, np.int32)
    return Tree(np.stack(centroids), first, count, _number_leaves(first_child, child_count))


def _number_leaves(first_child: Sequence[int], child_count: Sequence[int]) -> np.ndarray:
    leaf_ids = np.full(len(first_child), -1, np.int32)
    stack, found = [0], 0
    while stack:
        node = stack.pop()
        if child_count[node]:
            stack += reversed(range(first_child[node], first_child[node] + child_count[node]))
        else:
            leaf_ids[node], found = found, found + 1
    return leaf_ids


def k_means(points: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The best of a few runs of Lloyd's algorithm from greedy k-means++ seeds (Arthur and Vassilvitskii, 2007).

    Args:
      points: float32 [n, P].
      k: clusters wanted; there are fewer where the points have fewer distinct values.
      rng: source of the seeds.

    Returns:
      Centres float32 [at most k, P], and for each point its nearest centre, int [n]; no cluster is empty.
    """
    origin = points[0]  # distances then lose nothing to a large common offset, and equal points are exactly zero
    shifted = points - origin
    runs = [_lloyd(shifted, _seeds(shifted, k, rng)) for _ in range(RESTARTS)]
    centres, labels, _ = min(runs, key=lambda run: run[2])
    used, labels = np.unique(labels, return_inverse=True)
    return centres[used] + origin, labels


def _seeds(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Greedy k-means++: each next centre is the best of a few points drawn by squared distance to those so far."""
    candidates = 2 + int(np.log(k))
    chosen = [int(rng.integers(len(points)))]
    nearest = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < k and nearest.any():
        cumulative = np.cumsum(nearest, dtype=np.float64)
        drawn = np.searchsorted(cumulative, rng.random(candidates) * cumulative[-1], side="right")
        drawn = np.minimum(drawn, len(points) - 1)
        reached = np.minimum(nearest[:, None], squared_distances(points, points[drawn]))
        best = int(reached.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(drawn[best]))
        nearest = reached[:, best]
    return points[chosen]


def _lloyd(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Centres, labels and summed squared error; an emptied cluster is moved to the point farthest from its centre."""
    distances = squared_distances(points, centres)
    labels = distances.argmin(axis=1)
    for _ in range(ITERATIONS):
        members = (labels[:, None] == np.arange(len(centres))).astype(np.float32)
        counts = members.sum(axis=0)
        centres = members.T @ points / np.maximum(counts, 1)[:, None]
        empty = np.flatnonzero(counts == 0)
        farthest = np.argsort(-distances.min(axis=1), kind="stable")[: len(empty)]
        centres[empty[: len(farthest)]] = points[farthest]
        distances, previous = squared_distances(points, centres), labels
        labels = distances.argmin(axis=1)
        if np.array_equal(labels, previous):
            break
    return centres, labels, float(distances.min(axis=1).sum(dtype=np.float64))


def squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Float32 [n, P] and [k, P] to float32 [n, k], with what is only rounding set to 0."""
    norms = np.einsum("np,np->n", points, points)[:, None] + np.einsum("kp,kp->k", centres, centres)
    distances = norms - 2 * points @ centres.T
    distances[distances < SAME * norms] = 0
    return distances
