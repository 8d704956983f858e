"""Hierarchical k-means: a tree of centroids, fitted level by level (Nister and Stewenius 2006).

Every random number comes from (seed, node). Given the same points the result is bitwise the same from run to run; the
one thing outside our hands is the order in which NumPy's BLAS adds, which another BLAS build or number of BLAS threads
may change in the last bit.

Points may lie on disk (`rows.py`). A node that fits into memory is clustered exactly. One that does not is clustered on
a uniform sample of its points, one large mini-batch; all its points then go to the nearest centre, block by block.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from videobert_jax.progress import progress

ITERATIONS = 50  # of Lloyd's algorithm, at most
MEMORY = 1 << 30  # bytes
SAME = 1e-5  # squared distances below this share of the squared norms are rounding, so the points are one


class Points(Protocol):
    """Float32 [n, P]: an array, or rows on disk that are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """n, P."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Int [m] to float32 [m, P]."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """What one node's k-means may cost.

    Attributes:
      restarts: runs, of which the one with the least error is kept.
      unsettled: share of the points that may still change their cluster when a run ends.
    """

    restarts: int
    unsettled: float


THOROUGH = Effort(restarts=3, unsettled=0.0)
FAST = Effort(restarts=1, unsettled=0.002)
SAMPLE_PER_CENTRE = 2048  # points of a node that exceeds memory, for each of its children
THOROUGH_NUMBERS = 1 << 24  # n * P up to which a tree gets the thorough effort: seconds, not minutes


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


def fit_tree(
    points: Points, branching: int, depth: int, seed: int, name: str = "k-means", memory: int = MEMORY
) -> Tree:
    """Splits float32 `points` [n, P], n at least 1, `depth` times into `branching`.

    A node with fewer distinct points than `branching` gets fewer children, and one with a single distinct point is a
    leaf, so small or repetitive corpora give fewer than ``branching ** depth`` leaves; every leaf has a point. The
    distinct points of a node that exceeds `memory` are those of its sample.

    Args:
      points: an array, or rows on disk.
      branching: children of a node.
      depth: levels.
      seed: with the node's number, the source of every random draw.
      name: what the progress says is being done.
      memory: bytes for the points of a node and what is computed from them; the tree itself and 16 bytes for each
        point come on top.
    """
    total, width = points.shape
    effort = THOROUGH if total * width <= THOROUGH_NUMBERS else FAST
    fitting = max(memory // _bytes_per_point(width, branching), 4 * branching)  # points at once
    centroids, first_child, child_count = [_mean(points, fitting)], [0], [0]
    level = [(0, np.arange(total))]
    for number in range(depth):
        parents, level = level, []
        for node, rows in progress(parents, len(parents), f"{name}, level {number + 1} of {depth}", "node"):
            centres, labels = _split(points, rows, branching, np.random.default_rng([seed, node]), effort, fitting)
            if len(centres) == 1:
                continue
            first_child[node], child_count[node] = len(centroids), len(centres)
            level += [(len(centroids) + child, rows[labels == child]) for child in range(len(centres))]
            centroids += list(centres)
            first_child += [0] * len(centres)
            child_count += [0] * len(centres)
    first, count = np.array(first_child, np.int32), np.array(child_count, np.int32)
    return Tree(np.stack(centroids), first, count, _number_leaves(first_child, child_count))


def _bytes_per_point(width: int, branching: int) -> int:
    """Of a node in memory: the point, the point about its origin, and rows of distances, norms and memberships."""
    return 4 * (2 * width + 4 * branching + 8)


def _mean(points: Points, fitting: int) -> np.ndarray:
    total = points.shape[0]
    if total <= fitting:
        return points[np.arange(total)].mean(axis=0)
    sums = [points[rows].sum(axis=0, dtype=np.float64) for rows in _blocks(np.arange(total), fitting)]
    return (np.sum(sums, axis=0) / total).astype(np.float32)


def _blocks(rows: np.ndarray, fitting: int) -> list[np.ndarray]:
    return np.split(rows, range(fitting, len(rows), fitting))


def _split(
    points: Points, rows: np.ndarray, k: int, rng: np.random.Generator, effort: Effort, fitting: int
) -> tuple[np.ndarray, np.ndarray]:
    """`k_means` of the `rows` of `points`, on a sample if more than `fitting`."""
    if len(rows) <= fitting:
        return k_means(points[rows], k, rng, effort)
    sample = np.sort(rng.choice(len(rows), min(fitting, SAMPLE_PER_CENTRE * k), replace=False))
    centres, _ = k_means(points[rows[sample]], k, rng, effort)
    nearest = (squared_distances(points[block], centres).argmin(axis=1) for block in _blocks(rows, fitting))
    used, labels = np.unique(np.concatenate(list(nearest)), return_inverse=True)
    return centres[used], labels


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


def k_means(
    points: np.ndarray, k: int, rng: np.random.Generator, effort: Effort = THOROUGH
) -> tuple[np.ndarray, np.ndarray]:
    """The best of a few runs of Lloyd's algorithm from greedy k-means++ seeds (Arthur and Vassilvitskii, 2007).

    Args:
      points: float32 [n, P].
      k: clusters wanted; there are fewer where the points have fewer distinct values.
      rng: source of the seeds.
      effort: how many runs, and when each ends.

    Returns:
      Centres float32 [at most k, P], and for each point its nearest centre, int [n]; no cluster is empty.
    """
    origin = points[0]  # distances then lose nothing to a large common offset, and equal points are exactly zero
    shifted = points - origin
    norms = _norms(shifted)
    seeds = (_seeds(shifted, norms, k, rng) for _ in range(effort.restarts))
    runs = (_lloyd(shifted, norms, start, effort.unsettled) for start in seeds)
    centres, labels, _ = min(runs, key=lambda run: run[2])
    used, labels = np.unique(labels, return_inverse=True)
    return centres[used] + origin, labels


def _seeds(points: np.ndarray, norms: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Greedy k-means++: each next centre is the best of a few points drawn by squared distance to those so far."""
    candidates = 2 + int(np.log(k))
    chosen = [int(rng.integers(len(points)))]
    nearest = squared_distances(points, points[chosen], norms)[:, 0]
    while len(chosen) < k and nearest.any():
        cumulative = np.cumsum(nearest, dtype=np.float64)
        drawn = np.searchsorted(cumulative, rng.random(candidates) * cumulative[-1], side="right")
        drawn = np.minimum(drawn, len(points) - 1)
        reached = np.minimum(nearest[:, None], squared_distances(points, points[drawn], norms))
        best = int(reached.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(drawn[best]))
        nearest = reached[:, best]
    return points[chosen]


def _lloyd(
    points: np.ndarray, norms: np.ndarray, centres: np.ndarray, unsettled: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Centres, labels and summed squared error; an emptied cluster is moved to the point farthest from its centre."""
    distances = squared_distances(points, centres, norms)
    labels = distances.argmin(axis=1)
    for _ in range(ITERATIONS):
        members = (labels[:, None] == np.arange(len(centres))).astype(np.float32)
        counts = members.sum(axis=0)
        centres = members.T @ points / np.maximum(counts, 1)[:, None]
        empty = np.flatnonzero(counts == 0)
        if len(empty):
            farthest = np.argsort(-distances.min(axis=1), kind="stable")[: len(empty)]
            centres[empty[: len(farthest)]] = points[farthest]
        distances, previous = squared_distances(points, centres, norms), labels
        labels = distances.argmin(axis=1)
        if np.count_nonzero(labels != previous) <= unsettled * len(points):
            break
    return centres, labels, float(distances.min(axis=1).sum(dtype=np.float64))


def squared_distances(points: np.ndarray, centres: np.ndarray, norms: np.ndarray | None = None) -> np.ndarray:
    """Float32 [n, P] and [k, P] to float32 [n, k], with what is only rounding set to 0.

    `norms` are the squared lengths of the points, float32 [n], for a caller that has them.
    """
    lengths = (_norms(points) if norms is None else norms)[:, None] + _norms(centres)
    distances = lengths - points @ (2 * centres).T
    distances[distances < SAME * lengths] = 0
    return distances


def _norms(points: np.ndarray) -> np.ndarray:
    return np.einsum("np,np->n", points, points)
