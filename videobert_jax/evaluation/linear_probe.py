"""What a linear map can read from features: ridge regression in closed form, and the average precision of chance."""

import numpy as np

PENALTIES = 10.0 ** np.arange(-6, 3)  # as shares of the total variance of the features


def ridge_scores(features: np.ndarray, labels: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Fits a linear map from features to labels, and applies it.

    The penalty, one for all labels, is the one of `PENALTIES` with the least generalised cross-validation error (Golub
    et al. 1979). Features are centred, but their columns are not rescaled.

    Args:
      features: float [n, D].
      labels: bool [n, K].
      unseen: float [m, D].

    Returns:
      float64 [m, K]; larger where a label is more likely.
    """
    mean, centre = features.mean(axis=0, dtype=np.float64), labels.mean(axis=0)
    x, y = features - mean, labels - centre
    left, sizes, right = _decompose(x)
    if not len(sizes):  # all features are equal
        return np.tile(centre, (len(unseen), 1))
    shown = left.T @ y
    penalties = PENALTIES * np.sum(sizes**2)

    def error(penalty: float) -> float:
        shrunk = sizes**2 / (sizes**2 + penalty)
        freedom = 1 - (1 + shrunk.sum()) / len(x)
        residual = np.sum((y - left @ (shrunk[:, None] * shown)) ** 2)
        return float(residual / freedom**2) if freedom > 0 else np.inf

    penalty = min(penalties, key=error)
    weights = right @ ((sizes / (sizes**2 + penalty))[:, None] * shown)
    return (unseen - mean) @ weights + centre


def _decompose(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The singular vectors [n, R] and [D, R] and values [R] that are not zero, from the smaller Gram matrix."""
    tall = len(x) > x.shape[1]
    squares, vectors = np.linalg.eigh(x.T @ x if tall else x @ x.T)
    kept = squares > 1e-12 * max(squares[-1], np.finfo(np.float64).tiny)
    sizes, vectors = np.sqrt(squares[kept]), vectors[:, kept]
    return (x @ vectors / sizes, sizes, vectors) if tall else (vectors, sizes, x.T @ vectors / sizes)


def chance(positives: int, total: int) -> float:
    """The expected average precision of a random order of `total` items without equal scores."""
    ranks = np.arange(1, total + 1)
    others = (ranks - 1) * (positives - 1) / max(total - 1, 1)  # positives expected before one at that rank
    return float(np.mean((1 + others) / ranks))
