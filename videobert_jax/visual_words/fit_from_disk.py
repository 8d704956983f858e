"""Fits the visual vocabulary on more clips than fit into memory, using disk (`disk_array.py`)."""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from videobert_jax.visual_words.disk_array import RowFile, write_rows
from videobert_jax.visual_words.kmeans import Tree, bytes_per_point, fit_tree
from videobert_jax.visual_words.vocabulary import (
    PROJECTION_SAMPLE,
    Part,
    Projection,
    Vocabulary,
    fit,
    fit_projection,
    tree_name,
    tree_shares,
)

COPIES = 4  # of the features at the peak of fitting in memory


class Videos(Iterable[np.ndarray]):
    """The features of each video, float [clips, D], loaded on every iteration and not kept."""

    def __init__(self, video_ids: Sequence[str], load: Callable[[str], np.ndarray]) -> None:
        self._video_ids, self._load = video_ids, load

    def __iter__(self) -> Iterator[np.ndarray]:
        return (features for _, features in self.items())

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields each video's id with its features."""
        return ((video_id, self._load(video_id)) for video_id in self._video_ids)


def fit_videos(
    videos: Iterable[np.ndarray],
    branching: int,
    depth: int,
    seed: int,
    factors: Sequence[Sequence[Part]],
    memory: int,
    scratch: pathlib.Path,
) -> Vocabulary:
    """Like `fit` on all clips of `videos`; bitwise equal if they fit into memory.

    Args:
      videos: float [clips, D] each, at least one clip in all; iterated over several times.
      branching, depth, seed, factors: as in `fit`.
      memory: bytes for the clips and what is computed from them. Excludes the vocabulary, one video, the sample for the
        projection, and 24 bytes per clip for its indices.
      scratch: folder for what does not fit, 4 bytes per projected number; removed at the end.
    """
    shapes = [video.shape for video in videos]
    clips, width = sum(shape[0] for shape in shapes), shapes[0][1]
    if clips * max(COPIES * 4 * width, bytes_per_point(width)) <= memory:
        return fit(np.concatenate(list(videos)), branching, depth, seed, factors, memory)
    parts = [part for factor in factors for part in factor]
    projection = fit_projection(sample_clips(videos, PROJECTION_SAMPLE), parts)
    shares = tree_shares(projection, factors, depth)
    trees: list[Tree] = []
    offsets: list[np.ndarray] = []
    leaf = np.zeros(clips, np.int32)
    path = scratch / "points"
    for number, (columns, levels) in enumerate(shares, 1):
        offset = np.zeros((leaf.max() + 1, projection(np.zeros((1, width)))[:, columns].shape[1]), np.float32)
        if trees:
            offset = _means(_projected(videos, projection, columns), leaf, offset.shape)
        stored = write_rows(path, _residuals(_projected(videos, projection, columns), leaf, offset), offset.shape[1])
        trees.append(fit_tree(stored, branching, levels, seed, tree_name(number, len(shares)), memory))
        offsets.append(offset)
        leaf = _leaves(trees[-1], stored, memory)
        path.unlink()
    return Vocabulary(projection, tuple(trees), tuple(offsets))


def sample_clips(videos: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Returns at most `size` evenly spaced clips, float [n, D]."""
    starts = np.cumsum([0, *(len(video) for video in videos)]).tolist()
    stride = -(-starts[-1] // size)
    return np.concatenate([video[-start % stride :: stride] for video, start in zip(videos, starts[:-1], strict=True)])


def _projected(videos: Iterable[np.ndarray], projection: Projection, columns: slice) -> Iterator[np.ndarray]:
    return (projection(video)[:, columns] for video in videos)


def _means(points: Iterable[np.ndarray], groups: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 `shape` [groups, P]: the mean of each group; no group may be empty."""
    sums, start = np.zeros(shape), 0
    for block in points:
        np.add.at(sums, groups[start : start + len(block)], block)
        start += len(block)
    return (sums / np.bincount(groups)[:, None]).astype(np.float32)


def _residuals(points: Iterable[np.ndarray], leaf: np.ndarray, offset: np.ndarray) -> Iterator[np.ndarray]:
    start = 0
    for block in points:
        yield block - offset[leaf[start : start + len(block)]]
        start += len(block)


def _leaves(tree: Tree, points: RowFile, memory: int) -> np.ndarray:
    total, width = points.shape
    rows = max(memory // (COPIES * 4 * width), 1)
    blocks = np.split(np.arange(total), range(rows, total, rows))
    return np.concatenate([tree.assign(points[block]) for block in blocks])
