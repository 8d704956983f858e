"""Visual words: hierarchical k-means over clip features (VideoBERT section 3.1; depth d = 4, branching k = 12).

A tree of centroids is fitted on the training clips; a clip's visual word is the leaf that it reaches by descending to
the nearest child at each level, so assigning costs k * d distances rather than k ** d. Features are first centred and,
part by part (appearance, motion, ...), PCA-whitened and weighted, because k-means sees only Euclidean distance.

Every random number comes from (seed, node). Given the same features the result is bitwise the same from run to run; the
one thing outside our hands is the order in which NumPy's BLAS adds, which another BLAS build or number of BLAS threads
may change in the last bit.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import scipy.linalg

from videobert_jax.progress import progress

VERSION = 1
TREE = ("nodes", "first_child", "child_count", "leaf_ids")  # arrays of a saved vocabulary
RESTARTS = 3  # of each node's k-means; the one with the least error is kept
ITERATIONS = 50  # of Lloyd's algorithm, at most
PROJECTION_SAMPLE = 16_384  # rows, evenly spaced, that the projection is fitted on
SAME = 1e-5  # squared distances below this share of the squared norms are rounding, so the points are one
ASSIGN_ROWS = 65_536  # points that descend the tree at once, which bounds memory


@dataclasses.dataclass(frozen=True)
class Part:
    """Adjacent columns of the feature vector that are projected by themselves.

    Attributes:
      size: columns.
      components: principal components kept, at most.
      weight: the part's standard deviation after projection, so its share of a squared distance is ``weight ** 2``.
      whitening: 1 gives every kept component the same variance, 0 leaves their variances as they are.
    """

    size: int
    components: int
    weight: float = 1.0
    whitening: float = 1.0


@dataclasses.dataclass(frozen=True)
class Projection:
    """An affine map of features; block-diagonal, one block for each part. Without blocks it only subtracts the mean."""

    mean: np.ndarray  # float32 [D]
    blocks: tuple[np.ndarray, ...] = ()  # each float32 [columns of the part, components]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Float [n, D] to float32 [n, P]."""
        if not self.blocks:
            return features.astype(np.float32, copy=False) - self.mean
        ends = np.cumsum([len(block) for block in self.blocks])
        columns = [slice(end - len(block), end) for end, block in zip(ends, self.blocks, strict=True)]
        parts = [(features[:, c] - self.mean[c]) @ block for c, block in zip(columns, self.blocks, strict=True)]
        return np.concatenate(parts, axis=1, dtype=np.float32)


def fit_projection(features: np.ndarray, parts: Sequence[Part]) -> Projection:
    """Fits the PCA of each part on at most `PROJECTION_SAMPLE` evenly spaced rows of float `features` [n, D]."""
    if parts and sum(part.size for part in parts) != features.shape[1]:
        sizes = [part.size for part in parts]
        raise ValueError(f"parts of {sizes} columns do not add up to the features' {features.shape[1]}")
    sample = features[:: -(-len(features) // PROJECTION_SAMPLE)].astype(np.float32)
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    sample -= mean
    columns = np.split(sample, np.cumsum([part.size for part in parts])[:-1], axis=1) if parts else []
    return Projection(mean, tuple(_principal_axes(x, part) for x, part in zip(columns, parts, strict=True)))


def _principal_axes(centred: np.ndarray, part: Part) -> np.ndarray:
    """Scaled eigenvectors [columns, components] of the covariance; directions without variance are left out."""
    covariance = centred.T @ centred / len(centred)
    kept = min(part.components, part.size, len(centred))
    variances, axes = scipy.linalg.eigh(covariance, subset_by_index=(part.size - kept, part.size - 1))
    alive = variances > 1e-6 * max(variances[-1], np.finfo(np.float32).tiny)
    variances, axes = variances[alive][::-1], axes[:, alive][:, ::-1]
    axes *= np.sign(
        axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])]
    )  # an eigenvector's sign is arbitrary
    scales = variances ** (-part.whitening / 2)
    total = np.sum(variances * scales**2)
    return (axes * scales * part.weight / np.sqrt(max(total, 1e-30))).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A fitted tree. Nodes are numbered breadth first from the root; leaves depth first, so neighbours look alike."""

    projection: Projection
    nodes: np.ndarray  # float32 [nodes, P], centroids in the projected space
    first_child: np.ndarray  # int32 [nodes]; the children of a node are adjacent
    child_count: np.ndarray  # int32 [nodes]; 0 for a leaf
    leaf_ids: np.ndarray  # int32 [nodes]; the visual word of a leaf, -1 elsewhere

    @property
    def size(self) -> int:
        """Number of visual words; at most ``branching ** depth``."""
        return int(self.leaf_ids.max()) + 1

    @property
    def centroids(self) -> np.ndarray:
        """Float32 [size, P]: the centroid of each visual word in the projected space."""
        leaves = np.flatnonzero(self.child_count == 0)
        return self.nodes[leaves[np.argsort(self.leaf_ids[leaves])]]

    def assign(self, features: np.ndarray) -> np.ndarray:
        """The visual word of each row: float [n, D] to int32 [n] in [0, size).

        Raises ValueError for features of another width or with a value that is not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.projection.mean):
            expected = len(self.projection.mean)
            raise ValueError(f"features have shape {features.shape}; this vocabulary was fitted on [n, {expected}]")
        require_finite(features, "features")
        blocks = [features[start : start + ASSIGN_ROWS] for start in range(0, len(features), ASSIGN_ROWS)]
        return np.concatenate([np.zeros(0, np.int32), *(self._descend(self.projection(block)) for block in blocks)])

    def _descend(self, points: np.ndarray) -> np.ndarray:
        node = np.zeros(len(points), np.int32)
        while (inner := self.child_count[node] > 0).any():
            for parent in np.unique(node[inner]):
                rows = np.flatnonzero(node == parent)
                first, count = self.first_child[parent], self.child_count[parent]
                node[rows] = first + _squared_distances(points[rows], self.nodes[first : first + count]).argmin(axis=1)
        return self.leaf_ids[node]

    def save(self, path: pathlib.Path) -> None:
        """Writes one ``.npz`` file."""
        arrays = {name: getattr(self, name) for name in TREE}
        arrays |= {f"block_{index}": block for index, block in enumerate(self.projection.blocks)}
        np.savez(path, allow_pickle=False, version=np.int32(VERSION), mean=self.projection.mean, **arrays)

    @classmethod
    def load(cls, path: pathlib.Path) -> "Vocabulary":
        """Reads what `save` wrote. Raises ValueError for any other file."""
        with np.load(path) as arrays:
            version = int(arrays["version"]) if "version" in arrays else None
            if version != VERSION:
                raise ValueError(
                    f"{path} has vocabulary version {version}, this program reads {VERSION}: prepare again"
                )
            blocks = tuple(arrays[f"block_{index}"] for index in range(sum(n.startswith("block_") for n in arrays)))
            return cls(Projection(arrays["mean"], blocks), **{name: arrays[name] for name in TREE})


def fit(features: np.ndarray, branching: int, depth: int, seed: int, parts: Sequence[Part] = ()) -> Vocabulary:
    """Fits the projection and the tree on the features of the training clips.

    A node with fewer distinct points than `branching` gets fewer children, and one with a single distinct point is a
    leaf, so small or repetitive corpora give fewer than ``branching ** depth`` words; every word has a training clip.

    Args:
      features: float [n, D], n at least 1.
      branching: children of a node, k; at least 2.
      depth: levels below the root, d; at least 1.
      seed: with the node's number, the source of every random draw.
      parts: how the columns are whitened and weighted; empty: the features are only centred.
    """
    if branching < 2 or depth < 1:
        raise ValueError(f"branching is {branching} and depth {depth}; expected at least 2 and 1")
    if features.ndim != 2 or not len(features):
        raise ValueError(f"features have shape {features.shape}; expected [n, D] with at least one clip")
    require_finite(features, "features")
    projection = fit_projection(features, parts)
    points = projection(features)
    centroids, first_child, child_count = [points.mean(axis=0)], [0], [0]
    level = [(0, np.arange(len(points)))]
    for number in range(depth):
        parents, level = level, []
        for node, rows in progress(parents, len(parents), f"k-means, level {number + 1} of {depth}", "node"):
            centres, labels = k_means(points[rows], branching, np.random.default_rng([seed, node]))
            if len(centres) == 1:
                continue
            first_child[node], child_count[node] = len(centroids), len(centres)
            level += [(len(centroids) + child, rows[labels == child]) for child in range(len(centres))]
            centroids += list(centres)
            first_child += [0] * len(centres)
            child_count += [0] * len(centres)
    first, count = np.array(first_child, np.int32), np.array(child_count, np.int32)
    return Vocabulary(projection, np.stack(centroids), first, count, _number_leaves(first_child, child_count))


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
    nearest = _squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < k and nearest.any():
        cumulative = np.cumsum(nearest, dtype=np.float64)
        drawn = np.searchsorted(cumulative, rng.random(candidates) * cumulative[-1], side="right")
        drawn = np.minimum(drawn, len(points) - 1)
        reached = np.minimum(nearest[:, None], _squared_distances(points, points[drawn]))
        best = int(reached.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(drawn[best]))
        nearest = reached[:, best]
    return points[chosen]


def _lloyd(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Centres, labels and summed squared error; an emptied cluster is moved to the point farthest from its centre."""
    distances = _squared_distances(points, centres)
    labels = distances.argmin(axis=1)
    for _ in range(ITERATIONS):
        members = (labels[:, None] == np.arange(len(centres))).astype(np.float32)
        counts = members.sum(axis=0)
        centres = members.T @ points / np.maximum(counts, 1)[:, None]
        empty = np.flatnonzero(counts == 0)
        farthest = np.argsort(-distances.min(axis=1), kind="stable")[: len(empty)]
        centres[empty[: len(farthest)]] = points[farthest]
        distances, previous = _squared_distances(points, centres), labels
        labels = distances.argmin(axis=1)
        if np.array_equal(labels, previous):
            break
    return centres, labels, float(distances.min(axis=1).sum(dtype=np.float64))


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Float32 [n, P] and [k, P] to float32 [n, k], with what is only rounding set to 0."""
    norms = np.einsum("np,np->n", points, points)[:, None] + np.einsum("kp,kp->k", centres, centres)
    distances = norms - 2 * points @ centres.T
    distances[distances < SAME * norms] = 0
    return distances


def require_finite(features: np.ndarray, name: str) -> None:
    """Raises ValueError that says where if a value of [n, D] `features` is not finite; `name` says whose they are."""
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name}: clip {bad[0]} has a NaN or infinite feature ({len(bad)} of {len(features)} clips do)"
        )


@dataclasses.dataclass(frozen=True)
class Quality:
    """How well the vocabulary fits clips.

    Attributes:
      size: visual words.
      used: words that at least one clip has.
      perplexity: exponential of the entropy of the words' frequencies, in nats; `size` if all were equally frequent.
      error: mean squared distance to the own centroid, as a share of the variance.
    """

    size: int
    used: int
    perplexity: float
    error: float


def quality(vocabulary: Vocabulary, features: np.ndarray) -> Quality:
    """Measures `vocabulary` on float `features` [n, D]."""
    words = vocabulary.assign(features)
    points = vocabulary.projection(features)
    counts = np.bincount(words, minlength=vocabulary.size)
    frequencies = counts[counts > 0] / len(words)
    residual = np.mean(np.sum((points - vocabulary.centroids[words]) ** 2, axis=1))
    variance = np.sum(points.var(axis=0))
    return Quality(
        size=vocabulary.size,
        used=len(frequencies),
        perplexity=float(np.exp(-np.sum(frequencies * np.log(frequencies)))),
        error=float(residual / max(variance, 1e-30)),
    )
