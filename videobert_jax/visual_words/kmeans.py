"""Hierarchical k-means: a tree of centroids, fitted level by level (Nister and Stewenius 2006).

Every random number derives from (seed, node). The same points give bitwise the same result in every run; only another
BLAS build or number of BLAS threads may change the last bit, through the order of summation.

Points may lie on disk (`disk_array.py`). A node that does not fit into memory, or in a large tree one with many points
per child, is clustered on a uniform sample of its points (one large mini-batch); all its points are then assigned to
the nearest centre, block by block. Small nodes, on the last level of a large tree, get more effort: they dominate the
error.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy.sparse

from videobert_jax.progress import progress

ITERATIONS = 50  # of Lloyd's algorithm, at most
MEMORY = 1 << 30  # bytes
SAME = 1e-5  # squared distances below this share of the squared norms are rounding error: the points are equal
BLOCK = 1 << 22  # distances computed at once


class Points(Protocol):
    """Float32 [n, P]: an array, or rows on disk that are read on demand."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, P)."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Int [m] to float32 [m, P]."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """Limits on the cost of one node's k-means."""

    restarts: int  # runs; the one with the least error is kept
    unsettled: float  # share of the points that may still change their cluster when a run ends
    sample: int  # points per centre, at most


THOROUGH = Effort(restarts=3, unsettled=0.0, sample=1 << 62)
FAST = Effort(restarts=1, unsettled=0.002, sample=512)
FEWEST = 4  # points per child in a sample, regardless of memory
THOROUGH_NUMBERS = 1 << 24  # largest n * P for which a whole tree gets the thorough effort: seconds, not minutes


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

    @property
    def parents(self) -> np.ndarray:
        """Int32 [size]: the node whose child each leaf is; -1 for the root."""
        of_node = np.repeat(np.arange(len(self.nodes), dtype=np.int32), self.child_count)  # breadth first, so in order
        leaves = np.flatnonzero(self.child_count == 0)
        return np.append(np.int32(-1), of_node)[leaves[np.argsort(self.leaf_ids[leaves])]]

    def assign(self, points: np.ndarray) -> np.ndarray:
        """Descends to the nearest child at each level: float32 `points` [n, P] to leaves int32 [n]."""
        node = np.zeros(len(points), np.int32)
        while len(inner := np.flatnonzero(self.child_count[node])):
            inner = inner[np.argsort(node[inner], kind="stable")]
            parents, starts = np.unique(node[inner], return_index=True)
            for parent, rows in zip(parents, np.split(inner, starts[1:]), strict=True):
                first = self.first_child[parent]
                children = self.nodes[first : first + self.child_count[parent]]
                node[rows] = first + _labels(points[rows], children)
        return self.leaf_ids[node]


def fit_tree(
    points: Points, branching: int, depth: int, seed: int, name: str = "k-means", memory: int = MEMORY
) -> Tree:
    """Splits float32 `points` [n, P], n at least 1, into a tree of `depth` levels with `branching` children per node.

    A node with fewer distinct points than `branching` gets fewer children, and one with a single distinct point is a
    leaf, so small or repetitive corpora give fewer than ``branching ** depth`` leaves; every leaf has a point. In a
    sampled node, the distinct points of the sample count. A tree of at most `THOROUGH_NUMBERS` numbers gets the
    thorough effort; a larger one only in nodes with no more points than coordinates, where it is cheap.

    `memory` is in bytes, for the points of a node and what is computed from them, but at least `FEWEST` points per
    child; the tree itself, 32 bytes per point, and 100 MB for blocks of distances come on top.
    """
    total, width = points.shape
    effort = THOROUGH if total * width <= THOROUGH_NUMBERS else FAST
    fitting = max(memory // bytes_per_point(width), FEWEST * branching)  # points at once
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


def bytes_per_point(width: int) -> int:
    """Memory of a node per point: the point, its offset from the origin, and the per-point scalars."""
    return 4 * (2 * width + 64)


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
    """Runs `k_means` on `rows` of `points`, or on a sample of them if `fitting` or the effort demands it."""
    if len(rows) <= points.shape[1]:
        effort = THOROUGH
    limit = min(fitting, effort.sample * k)
    if len(rows) <= limit:
        return k_means(points[rows], k, rng, effort)
    sample = np.sort(rng.choice(len(rows), limit, replace=False))
    centres, _ = k_means(points[rows[sample]], k, rng, effort)
    reached = np.concatenate([_labels(points[block], centres) for block in _blocks(rows, fitting)])
    used, labels = np.unique(reached, return_inverse=True)
    return centres[used], labels


def _labels(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest of `centres` [k, P] to each of `points` [n, P], int [n]. Modifies `points` to save memory."""
    points -= centres[0]  # for precision, as in `k_means`
    return nearest(points, centres - centres[0])[0]


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
    """Returns the best of a few runs of Lloyd's algorithm from greedy k-means++ seeds (Arthur and Vassilvitskii, 2007).

    Takes float32 `points` [n, P]; returns centres float32 [at most k, P], fewer if there are fewer distinct points, and
    the nearest centre of each point, int [n]. No cluster is empty.
    """
    origin = points[0]  # keeps distances precise despite a large common offset, and equal points exactly 0 apart
    shifted = points - origin
    few = len(points) <= points.shape[1] and len(points) ** 2 <= BLOCK
    space = _Pairs(shifted) if few else _Space(shifted)
    restarts = effort.restarts if k < len(points) else 1  # one suffices if each point gets its own cluster
    seeds = (_seeds(space, len(points), k, rng) for _ in range(restarts))
    clusters, labels, _ = min((_lloyd(space, start, effort.unsettled) for start in seeds), key=lambda run: run[2])
    used, labels = np.unique(labels, return_inverse=True)
    return clusters.means(shifted)[used] + origin, labels


@dataclasses.dataclass(frozen=True)
class Clusters:
    """The points averaged for each centre, as pairs of one of n points and one of k centres."""

    rows: np.ndarray  # int [pairs], in [0, n)
    centres: np.ndarray  # int [pairs], in [0, k); each at least once

    def marks(self, total: int) -> np.ndarray | scipy.sparse.csr_array:
        """Float32 [total, k]: 1 for each pair, 0 elsewhere; sparse if large."""
        shape = total, int(self.centres.max()) + 1
        if math.prod(shape) > BLOCK:
            return scipy.sparse.csr_array((np.ones(len(self.rows), np.float32), (self.rows, self.centres)), shape)
        marks = np.zeros(shape, np.float32)
        marks[self.rows, self.centres] = 1
        return marks

    def means(self, points: np.ndarray) -> np.ndarray:
        """Float32 `points` [n, P] to the mean of each cluster, float32 [k, P]."""
        marks = self.marks(len(points))
        return marks.T @ points / marks.sum(axis=0)[:, None]


class _Space:
    """Squared distances from each of float32 `points` [n, P]."""

    def __init__(self, points: np.ndarray) -> None:
        self.points, self.norms = points, _norms(points)

    def to_points(self, rows: np.ndarray) -> np.ndarray:
        """Float32 [n, rows]."""
        return squared_distances(self.points, self.points[rows], self.norms)

    def nearest(self, clusters: Clusters) -> tuple[np.ndarray, np.ndarray]:
        """The nearest centre of each point, int [n], and its squared distance, float32 [n]."""
        return nearest(self.points, clusters.means(self.points), self.norms)


class _Pairs:
    """Like `_Space`, from the pairwise distances alone: less memory for a few points of many coordinates.

    A point's mean squared distance to the members of a cluster is its squared distance to their mean plus half of the
    members' mean squared distance from each other.
    """

    def __init__(self, points: np.ndarray) -> None:
        self.between = squared_distances(points, points)

    def to_points(self, rows: np.ndarray) -> np.ndarray:
        return self.between[:, rows]

    def nearest(self, clusters: Clusters) -> tuple[np.ndarray, np.ndarray]:
        marks = clusters.marks(len(self.between))
        share = marks / marks.sum(axis=0)
        mean = self.between @ share
        distances = mean - np.einsum("nk,nk->k", share, mean) / 2
        return distances.argmin(axis=1), distances.min(axis=1)


def _seeds(space: _Space | _Pairs, total: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Greedy k-means++: each next centre is the best of a few points drawn by squared distance to those so far."""
    candidates = 2 + int(np.log(k))
    chosen = [int(rng.integers(total))]
    least = space.to_points(np.array(chosen))[:, 0]
    while len(chosen) < min(k, total) and least.any():
        cumulative = np.cumsum(least, dtype=np.float64)
        drawn = np.searchsorted(cumulative, rng.random(candidates) * cumulative[-1], side="right")
        drawn = np.minimum(drawn, total - 1)
        reached = np.minimum(least[:, None], space.to_points(drawn))
        best = int(reached.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(drawn[best]))
        least = reached[:, best]
    return np.array(chosen)


def _lloyd(space: _Space | _Pairs, seeds: np.ndarray, unsettled: float) -> tuple[Clusters, np.ndarray, float]:
    """Returns the final clusters, labels [n], and the summed squared error.

    Moves an empty cluster to the point farthest from its centre.
    """
    clusters = Clusters(seeds, np.arange(len(seeds)))
    labels, least = space.nearest(clusters)
    points = np.arange(len(labels))
    for _ in range(ITERATIONS):
        empty = np.flatnonzero(np.bincount(labels, minlength=len(seeds)) == 0)
        farthest = np.argsort(-least, kind="stable")[: len(empty)] if len(empty) else empty
        clusters, previous = Clusters(np.append(points, farthest), np.append(labels, empty)), labels
        labels, least = space.nearest(clusters)
        if np.count_nonzero(labels != previous) <= unsettled * len(labels):
            break
    return clusters, labels, float(least.sum(dtype=np.float64))


def nearest(points: np.ndarray, centres: np.ndarray, norms: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of `centres` [k, P] to each of `points` [n, P], int [n], and its squared distance, float32 [n].

    `norms` as in `squared_distances`; at most `BLOCK` distances are in memory at once.
    """
    norms = _norms(points) if norms is None else norms
    labels, least = np.empty(len(points), int), np.empty(len(points), np.float32)
    size = max(BLOCK // len(centres), 1)
    for block in (slice(start, start + size) for start in range(0, len(points), size)):
        distances = squared_distances(points[block], centres, norms[block])
        labels[block], least[block] = distances.argmin(axis=1), distances.min(axis=1)
    return labels, least


def squared_distances(points: np.ndarray, centres: np.ndarray, norms: np.ndarray | None = None) -> np.ndarray:
    """Float32 [n, P] and [k, P] to float32 [n, k]; distances within rounding error are set to 0.

    `norms`: squared lengths of the points, float32 [n], if known.
    """
    lengths = (_norms(points) if norms is None else norms)[:, None] + _norms(centres)
    distances = lengths - points @ (2 * centres).T
    distances[distances < SAME * lengths] = 0
    return distances


def _norms(points: np.ndarray) -> np.ndarray:
    return np.einsum("np,np->n", points, points)
