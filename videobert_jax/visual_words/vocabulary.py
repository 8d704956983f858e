"""Visual words: hierarchical k-means over clip features (VideoBERT section 3.1; depth d = 4, branching k = 12).

A tree of centroids is fitted on the training clips; a clip's visual word is the leaf reached by descending to the
nearest child at each level, so assigning costs k * d distances instead of k ** d. Features are first centred and, part
by part (motion, appearance, ...), PCA-whitened and weighted, because k-means sees only Euclidean distance.

Parts may form factors, each with its own tree: the first level of the hierarchy splits by the first factor, the levels
below by the next, the same way under every branch (product quantisation, Jegou et al. 2011). A single k-means confuses
a familiar object in a new action with another object in that action; with factors, such a clip gets a word whose
centroid is right in both. The mean of a factor given the previous factor's word is subtracted first (residual
quantisation): the tool that belongs to an action carries no information about the object.
"""

import collections
import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg

from videobert_jax.files import reading
from videobert_jax.visual_words.kmeans import MEMORY, Clusters, Tree, fit_tree
from videobert_jax.visual_words.tree_assign import assigner

VERSION = 1
PROJECTION_SAMPLE = 16_384  # rows, evenly spaced, that the projection is fitted on
LARGEST = np.float32(1e15)  # of a feature; sums of larger squares could overflow float32
MOST_WORDS = 1 << 22  # a model has an embedding for each
ASSIGN_ROWS = 65_536  # points assigned at once, which bounds memory


@dataclasses.dataclass(frozen=True)
class Part:
    """Adjacent columns of the feature vector that are projected separately."""

    size: int  # columns
    components: int  # principal components kept, at most; 0: the columns are left out
    weight: float = 1.0  # standard deviation after projection; the share of a squared distance is ``weight ** 2``
    whitening: float = 1.0  # 1 gives every kept component the same variance, 0 keeps their variances


@dataclasses.dataclass(frozen=True)
class Projection:
    """An affine, block-diagonal map of features, one block per part; without blocks it only subtracts the mean."""

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
    """Scaled eigenvectors [columns, components] of the covariance; zeros [columns, 1] if there is no variance."""
    kept = min(part.components, part.size, len(centred))
    if not kept:
        return np.zeros((part.size, 0), np.float32)
    covariance = centred.T @ centred / len(centred)
    variances, axes = scipy.linalg.eigh(covariance, subset_by_index=(part.size - kept, part.size - 1))
    alive = variances > 1e-6 * max(variances[-1], np.finfo(np.float32).tiny)
    if not alive.any():  # of a corpus in which nothing moves, say: all its clips are at the same place
        return np.zeros((part.size, 1), np.float32)
    variances, axes = variances[alive][::-1], axes[:, alive][:, ::-1]
    axes *= np.sign(
        axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])]
    )  # an eigenvector's sign is arbitrary
    scales = variances ** (-part.whitening / 2)
    total = np.sum(variances * scales**2)
    return (axes * scales * part.weight / np.sqrt(max(total, 1e-30))).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A projection and one tree per factor, each on its own columns of the projected space.

    The trees are fitted on the residuals after subtracting the offsets: per tree, float32 [leaves of the previous tree,
    columns], the mean of its columns given that leaf; zeros [1, columns] for the first tree.
    """

    projection: Projection
    trees: tuple[Tree, ...]
    offsets: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        if self.size > MOST_WORDS:
            sizes = " x ".join(f"{tree.size:,}" for tree in self.trees)
            raise ValueError(
                f"{sizes} are {self.size:,} visual words, expected at most {MOST_WORDS:,}; "
                "lower config.prepare.branching or config.prepare.depth"
            )

    @property
    def size(self) -> int:
        """Number of visual words: all combinations of one leaf per tree; at most ``branching ** depth``."""
        return math.prod(tree.size for tree in self.trees)

    @property
    def centroids(self) -> np.ndarray:
        """Float32 [size, P]: the centroid of each visual word in the projected space."""
        leaves = np.unravel_index(np.arange(self.size), [tree.size for tree in self.trees])
        before: list[np.ndarray] = [np.zeros(self.size, np.intp), *leaves]
        parts = zip(self.trees, self.offsets, leaves, before, strict=False)
        return np.concatenate([tree.centroids[leaf] + offset[last] for tree, offset, leaf, last in parts], axis=1)

    def assign(self, features: np.ndarray) -> np.ndarray:
        """Assigns a visual word to each row: float [n, D] to int32 [n] in [0, size).

        Raises ValueError if the width does not match or a value is not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.projection.mean):
            expected = len(self.projection.mean)
            raise ValueError(f"features have shape {features.shape}; this vocabulary was fitted on [n, {expected}]")
        require_finite(features, "features")
        blocks = [features[start : start + ASSIGN_ROWS] for start in range(0, len(features), ASSIGN_ROWS)]
        return np.concatenate([np.zeros(0, np.int32), *(self._assign(self.projection(block)) for block in blocks)])

    def neighbours(self, used: np.ndarray) -> np.ndarray:
        """The other words in use that share a word's parent in the hierarchy: they differ in the last level alone.

        Args:
          used: bool [size], the words in use.

        Returns:
          Int32 [size, n], for each word its neighbours in ascending order, then -1.
        """
        last = self.trees[-1]
        before, leaf = np.divmod(np.arange(self.size), last.size)
        parents = before * len(last.nodes) + last.parents[leaf]
        families = collections.defaultdict(list)
        for word in np.flatnonzero(used).tolist():
            families[int(parents[word])].append(word)
        most = max(map(len, families.values()), default=0)
        table = np.full((self.size, most), -1, np.int32)
        for word, parent in enumerate(parents.tolist()):
            others = [other for other in families.get(parent, ()) if other != word]
            table[word, : len(others)] = others
        return table

    @functools.cached_property
    def _assigners(self) -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
        return tuple(map(assigner, self.trees))

    def _assign(self, points: np.ndarray) -> np.ndarray:
        ends = np.cumsum([tree.nodes.shape[1] for tree in self.trees])
        columns = np.split(points, ends[:-1], axis=1)
        leaves: list[np.ndarray] = []
        for assign, own, offset in zip(self._assigners, columns, self.offsets, strict=True):
            before = leaves[-1] if leaves else np.zeros(len(points), np.int32)
            leaves.append(assign(own - offset[before]))
        return np.ravel_multi_index(leaves, [tree.size for tree in self.trees]).astype(np.int32)

    def save(self, path: pathlib.Path) -> None:
        """Writes one ``.npz`` file."""
        arrays = {f"block_{index}": block for index, block in enumerate(self.projection.blocks)}
        for index, tree in enumerate(self.trees):
            arrays |= {f"tree_{index}_{field.name}": getattr(tree, field.name) for field in dataclasses.fields(Tree)}
            arrays[f"offset_{index}"] = self.offsets[index]
        np.savez(path, allow_pickle=False, version=np.int32(VERSION), mean=self.projection.mean, **arrays)

    @classmethod
    def load(cls, path: pathlib.Path) -> "Vocabulary":
        """Reads a file written by `save`. Raises DamagedError, a ValueError, for any other file."""
        names = [field.name for field in dataclasses.fields(Tree)]
        with reading(path, path.parent), np.load(path) as arrays:
            version = int(arrays["version"]) if "version" in arrays else None
            if version != VERSION:
                raise ValueError(f"vocabulary version {version}, this program reads {VERSION}")
            blocks = tuple(arrays[f"block_{index}"] for index in range(sum(n.startswith("block_") for n in arrays)))
            count = sum(name.endswith("_leaf_ids") for name in arrays)
            trees = tuple(Tree(*(arrays[f"tree_{index}_{name}"] for name in names)) for index in range(count))
            offsets = tuple(arrays[f"offset_{index}"] for index in range(count))
            return cls(Projection(arrays["mean"], blocks), trees, offsets)


def fit(
    features: np.ndarray,
    branching: int,
    depth: int,
    seed: int,
    factors: Sequence[Sequence[Part]] = (),
    memory: int = MEMORY,
) -> Vocabulary:
    """Fits the projection and the trees on the features of the training clips.

    Args:
      features: float [n, D], n at least 1.
      branching: children per node, k; at least 2.
      depth: levels of the hierarchy, d; at least 1. Each factor except the last gets one level, the last all others;
        with fewer levels than factors there is a single tree.
      seed: with the node's number, the source of all randomness.
      factors: the columns, in order: their whitening and weights, and which share a tree. Empty: the features are only
        centred, and there is a single tree.
      memory: bytes for the k-means of a node, beyond which it uses a sample (see `fit_tree`).
    """
    if branching < 2 or depth < 1:
        raise ValueError(f"branching is {branching} and depth {depth}; expected at least 2 and 1")
    if features.ndim != 2 or not len(features):
        raise ValueError(f"features have shape {features.shape}; expected [n, D] with at least one clip")
    require_finite(features, "features")
    projection = fit_projection(features, [part for factor in factors for part in factor])
    points = projection(features)
    trees: list[Tree] = []
    offsets: list[np.ndarray] = []
    leaf = np.zeros(len(points), np.int32)
    shares = tree_shares(projection, factors, depth)
    for number, (columns, levels) in enumerate(shares, 1):
        own = points[:, columns]
        offset = Clusters(np.arange(len(own)), leaf).means(own) if trees else np.zeros((1, own.shape[1]), np.float32)
        residual = own - offset[leaf]
        trees.append(fit_tree(residual, branching, levels, seed, tree_name(number, len(shares)), memory))
        offsets.append(offset)
        leaf = trees[-1].assign(residual)
    return Vocabulary(projection, tuple(trees), tuple(offsets))


def tree_shares(projection: Projection, factors: Sequence[Sequence[Part]], depth: int) -> Sequence[tuple[slice, int]]:
    """For each tree, its columns of the projected space and its levels (see `fit`)."""
    if depth < len(factors) or len(factors) < 2:
        return [(slice(None), depth)]
    blocks = iter(projection.blocks)
    ends = np.cumsum([sum(next(blocks).shape[1] for _ in factor) for factor in factors]).tolist()
    depths = [1] * (len(factors) - 1) + [depth - len(factors) + 1]
    return [(slice(start, end), levels) for start, end, levels in zip([0, *ends[:-1]], ends, depths, strict=True)]


def tree_name(number: int, count: int) -> str:
    """The description of tree `number` of `count` in the progress."""
    return f"k-means, tree {number} of {count}" if count > 1 else "k-means"


def require_finite(features: np.ndarray, name: str) -> None:
    """Raises ValueError, naming `name` and the clip, unless all values of `features` [n, D] are below `LARGEST`."""
    bad = np.flatnonzero(~(np.abs(features) < LARGEST).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name}: clip {bad[0]} has a NaN, infinite or huge feature ({len(bad)} of {len(features)} clips do); "
            f"expected numbers below {LARGEST:g}"
        )
