"""How well a visual vocabulary fits clips, and the cost of its hierarchy."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from videobert_jax.visual_words.kmeans import FAST, k_means
from videobert_jax.visual_words.vocabulary import Part, Vocabulary, fit

SAMPLE = 4096  # clips for the comparison with flat k-means
CLIPS_PER_WORD = 8  # at least, in the sample; with fewer, both errors would look too good


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A small hierarchical vocabulary and flat k-means, both fitted and evaluated on a sample."""

    clips: int  # in the sample
    words: int  # in each of the two
    error: float  # of the hierarchy, as in `Quality`
    flat_error: float  # of flat k-means in the same projected space


@dataclasses.dataclass(frozen=True)
class Quality:
    """How well a vocabulary fits clips."""

    size: int  # visual words
    used: int  # words that at least one clip has
    perplexity: float  # exp(entropy of the words' frequencies in nats); `size` if all are equally frequent
    error: float  # mean squared distance to the assigned centroid, as a share of the variance
    usage: tuple[int, ...]  # number of words with 0, 1, 2 to 3, 4 to 7, ... clips, in powers of two


def quality(vocabulary: Vocabulary, videos: Iterable[np.ndarray]) -> Quality:
    """Evaluates `vocabulary` on the clips of `videos`, float [n, D] each, read once; at least one clip in all."""
    centroids = vocabulary.centroids
    counts = np.zeros(vocabulary.size, int)
    total, squares = np.zeros((2, centroids.shape[1]))
    residual = 0.0
    for features in videos:
        words, points = vocabulary.assign(features), vocabulary.projection(features)
        counts += np.bincount(words, minlength=vocabulary.size)
        residual += np.sum((points - centroids[words]) ** 2, dtype=np.float64)
        total += points.sum(axis=0, dtype=np.float64)
        squares += np.square(points, dtype=np.float64).sum(axis=0)
    clips = counts.sum()
    frequencies = counts[counts > 0] / clips
    variance = np.sum(squares / clips - (total / clips) ** 2)
    return Quality(
        size=vocabulary.size,
        used=len(frequencies),
        perplexity=float(np.exp(-np.sum(frequencies * np.log(frequencies)))),
        error=float(residual / clips / max(variance, 1e-30)),
        usage=tuple(np.bincount(np.frexp(counts)[1]).tolist()),
    )


def compare_with_flat(
    sample: np.ndarray, branching: int, depth: int, seed: int, factors: Sequence[Sequence[Part]] = ()
) -> Comparison:
    """Fits a hierarchy of as many levels as float `sample` [n, D] has clips for, and flat k-means of as many words."""
    levels = 1
    while levels < depth and branching ** (levels + 1) * CLIPS_PER_WORD <= len(sample):
        levels += 1
    hierarchy = fit(sample, branching, levels, seed, factors)
    points = hierarchy.projection(sample)
    centres, labels = k_means(points, hierarchy.size, np.random.default_rng(seed), FAST)
    variance = max(float(points.var(axis=0).sum()), 1e-30)
    flat_error = float(np.mean(np.sum((points - centres[labels]) ** 2, axis=1))) / variance
    return Comparison(len(sample), hierarchy.size, quality(hierarchy, [sample]).error, flat_error)
