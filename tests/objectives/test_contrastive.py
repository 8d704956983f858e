"""Contrastive losses against plain NumPy, pair by pair."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.model.dual_encoder import Outputs, mean_of_sequences
from videobert_jax.objectives.contrastive import TextToVideo

ROWS, PAIRS, SIZE, SCALE = 3, 2, 5, 4.0


def batch_and_vectors(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(ROWS, 2 * PAIRS, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    batch = {
        "pair_weights": np.ones((ROWS, PAIRS), np.float32),
        "text_keys": np.array([[1, 2], [3, 1], [4, 0]], np.int32),  # two pairs have the same text
        "video_keys": np.array([[5, 6], [7, 8], [6, 0]], np.int32),  # and two the same video
    }
    batch["pair_weights"][2, 1] = 0
    return batch, vectors


def expected(batch: dict[str, np.ndarray], anchors: np.ndarray, candidates: np.ndarray) -> tuple[float, float]:
    """Sums of the losses and of the hits."""
    loss, hits = 0.0, 0.0
    weights, texts, videos = (batch[name].reshape(-1) for name in ("pair_weights", "text_keys", "video_keys"))
    for m in np.flatnonzero(weights):
        others = [n for n in np.flatnonzero(weights) if n == m or not (texts[n] == texts[m] or videos[n] == videos[m])]
        similarities = [SCALE * float(anchors[m] @ candidates[n]) for n in others]
        own = SCALE * float(anchors[m] @ candidates[m])
        loss += math.log(sum(map(math.exp, similarities))) - own
        hits += own >= max(similarities)
    return loss, hits


@pytest.mark.parametrize("seed", range(5))
def test_each_pair_is_compared_with_all_that_are_neither_padding_nor_right_too(seed: int) -> None:
    batch, vectors = batch_and_vectors(seed)
    objective = TextToVideo()
    metrics = objective(Outputs(jnp.zeros(()), jnp.asarray(vectors), jnp.float32(SCALE)), batch)
    texts, videos = (vectors[:, first::2].reshape(-1, SIZE) for first in (0, 1))
    for name, sides in (("text_to_video", (texts, videos)), ("video_to_text", (videos, texts))):
        loss, hits = expected(batch, *sides)
        np.testing.assert_allclose(metrics[f"loss/{name}"], (loss, 5), rtol=1e-5)
        np.testing.assert_allclose(metrics[f"accuracy/{name}"], (hits, 5))
        assert objective.counts(batch)[name] == 5
    assert objective.whole_batch


def test_a_vector_is_the_mean_over_its_sequence_alone() -> None:
    hidden = jnp.arange(12, dtype=jnp.float32).reshape(1, 6, 2)
    means = mean_of_sequences(hidden, jnp.array([[1, 1, 3, 3, 3, 0]]), 4)
    np.testing.assert_allclose(means[0], [[1, 2], [0, 0], [6, 7], [0, 0]])
