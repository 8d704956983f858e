"""Rows of the visual words in the embedding table, from the centroids' features (VideoBERT section 3.3).

Words that look alike so start out alike: what is learnt of one holds for a rare or never seen one beside it.
"""

import pathlib

import numpy as np

from videobert_jax.config import ModelConfig
from videobert_jax.prepare.vocabulary import Vocabulary


def load_visual_rows(config: ModelConfig, vocabulary: pathlib.Path, seed: int, deviation: float) -> np.ndarray | None:
    """Float32 [V, D] for the vocabulary in a folder; None if the config wants random ones.

    `deviation` is the standard deviation of the words' rows, which `visual_scale` is relative to.
    """
    if config.visual_rows == "random":
        return None
    centroids = Vocabulary.load(vocabulary / "tree.npz").centroids
    return project(centroids, config.hidden_size, config.visual_scale * deviation, seed)


def project(centroids: np.ndarray, size: int, deviation: float, seed: int) -> np.ndarray:
    """Float32 [V, P] to [V, size] by a random map that keeps distances: a rotation if size >= P, else nearly.

    A plain Gaussian map would all but lose some directions where P is about `size`: its least singular value is near 0.
    The values have the standard deviation that is asked for.
    """
    gaussian = np.random.default_rng(seed).standard_normal((max(centroids.shape[1], size),) * 2)
    rotation = np.linalg.qr(gaussian).Q[: centroids.shape[1], :size]
    rows = (centroids - centroids.mean(axis=0)) @ rotation
    return (rows * (deviation / max(float(rows.std()), 1e-12))).astype(np.float32)
