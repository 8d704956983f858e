"""What a visual word leaves out of a clip: its feature, projected, and further words that describe the rest.

The projection is a PCA with partly whitened components. A word's centroid is the mean of its clips. Codebooks quantise
what the centroid leaves over: each what those before it leave over (residual quantisation), or a group of columns of
its own (product quantisation, Jegou et al. 2011), which is a residual quantisation by words that are zero elsewhere.
"""

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np

from videobert_jax.data.records import ClipDetails
from videobert_jax.files import reading
from videobert_jax.progress import progress
from videobert_jax.visual_words.fit_from_disk import sample_clips
from videobert_jax.visual_words.kmeans import fit_tree, nearest
from videobert_jax.visual_words.vocabulary import PROJECTION_SAMPLE, Part, Projection, Vocabulary, fit_projection

VERSION = 1
WHITENING = 0.5  # of the projection: between that of the features, 0, and equal variances, 1
LARGEST = 65_504.0  # of a float16


@dataclasses.dataclass(frozen=True)
class Details:
    """Maps clip features to `ClipDetails`.

    Attributes:
      projection: of features float [n, D] to [n, P].
      centroids: float32 [V, P], the mean of each visual word's clips; zeros, the mean of all, for one without any.
      codebooks: float32 [C, K, P].
    """

    projection: Projection
    centroids: np.ndarray
    codebooks: np.ndarray

    def __call__(self, features: np.ndarray, visual_ids: np.ndarray) -> ClipDetails:
        """The details of clips, from their features float [n, D] and their visual words int32 [n]."""
        projected = self._project(features)
        return ClipDetails(projected.astype(np.float16), self._codes(projected - self.centroids[visual_ids]))

    def _project(self, features: np.ndarray) -> np.ndarray:
        """Float [n, D] to float32 [n, P]; pads what a small corpus has too few directions for."""
        projected = self.projection(features).clip(-LARGEST, LARGEST)
        return np.pad(projected, ((0, 0), (0, self.centroids.shape[1] - projected.shape[1])))

    def _codes(self, rest: np.ndarray) -> np.ndarray:
        codes = np.zeros((len(rest), len(self.codebooks)), np.int32)
        for number, codebook in enumerate(self.codebooks):
            codes[:, number] = nearest(rest, codebook)[0]
            rest = rest - codebook[codes[:, number]]
        return codes

    def save(self, path: pathlib.Path) -> None:
        """Writes one ``.npz`` file."""
        blocks = {f"block_{index}": block for index, block in enumerate(self.projection.blocks)}
        arrays = {"mean": self.projection.mean, "centroids": self.centroids, "codebooks": self.codebooks, **blocks}
        np.savez(path, allow_pickle=False, version=np.int32(VERSION), **arrays)

    @classmethod
    def load(cls, path: pathlib.Path) -> "Details":
        """Reads a file written by `save`. Raises DamagedError for any other file."""
        with reading(path, path.parent), np.load(path) as arrays:
            if (version := int(arrays["version"])) != VERSION:
                raise ValueError(f"details version {version}, this program reads {VERSION}")
            blocks = tuple(arrays[f"block_{index}"] for index in range(sum(n.startswith("block_") for n in arrays)))
            return cls(Projection(arrays["mean"], blocks), arrays["centroids"], arrays["codebooks"])


def fit(
    videos: Iterable[np.ndarray],
    vocabulary: Vocabulary,
    size: int,
    codebooks: int,
    codebook_size: int,
    quantisation: str,
    seed: int,
) -> Details:
    """Fits the projection, the centroids and the codebooks on the training clips.

    Args:
      videos: float [clips, D] each, at least one clip in all; iterated over several times.
      vocabulary: the visual words.
      size: P.
      codebooks: C.
      codebook_size: K, at most; fewer if there are fewer different clips.
      quantisation: "residual" or "product".
      seed: of the k-means.
    """
    sample = sample_clips(videos, PROJECTION_SAMPLE)
    projection = fit_projection(sample, [Part(sample.shape[1], size, weight=float(size) ** 0.5, whitening=WHITENING)])
    plain = Details(projection, np.zeros((vocabulary.size, size), np.float32), np.zeros((0, 1, size), np.float32))
    centroids = _centroids(plain, vocabulary, videos)
    rest = plain._project(sample) - centroids[vocabulary.assign(sample)]
    books: list[np.ndarray] = []
    groups = np.array_split(np.arange(size), codebooks) if codebooks else []
    for number in range(codebooks):
        columns = np.isin(np.arange(size), groups[number]) if quantisation == "product" else np.ones(size, bool)
        name = f"codebook {number + 1} of {codebooks}"
        words = fit_tree((rest * columns).astype(np.float32), codebook_size, 1, seed, name).centroids
        rest = rest - words[nearest(rest * columns, words)[0]]
        missing = codebook_size - len(words)
        books.append(np.concatenate([words, np.repeat(words[:1], missing, axis=0)]))
    return Details(projection, centroids, np.stack(books) if books else plain.codebooks[:0])


def _centroids(plain: Details, vocabulary: Vocabulary, videos: Iterable[np.ndarray]) -> np.ndarray:
    sums, counts = np.zeros(plain.centroids.shape), np.zeros(vocabulary.size)
    for features in progress(videos, None, "centroids of the visual words", "video"):
        words = vocabulary.assign(features)
        np.add.at(sums, words, plain._project(features))
        np.add.at(counts, words, 1)
    return (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
