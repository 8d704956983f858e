"""Tests the shared trunk with a network that has a different head than VideoBERT."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import numpy as np
import pytest
import tiny_model
from tiny_model import CONFIG, TOKENS, batch_of, joint, make, read, text, video

from videobert_jax.model.trunk import Trunk

ROWS = batch_of([joint(1), text(2)], [video(3), joint(4)])
SHARED = ("embeddings", "encoder", "pooler")


class Classifier(Trunk):
    """Classifies each sequence."""

    def setup(self) -> None:
        super().setup()
        self.head = nn.Dense(5)

    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> tuple[jax.Array, ...]:
        hidden = self.hidden(batch, deterministic)
        pooled = self.pooled(hidden, batch["cls_positions"])
        return hidden, pooled, self.head(pooled)


def test_a_network_with_another_head_computes_the_same() -> None:
    params = tiny_model.random_params()
    shared = {name: params[name] for name in SHARED}
    head = {"kernel": np.ones((CONFIG.hidden_size, 5), np.float32), "bias": np.zeros(5, np.float32)}
    hidden, pooled, _ = jax.jit(Classifier(CONFIG, TOKENS).apply)({"params": {**shared, "head": head}}, ROWS)
    np.testing.assert_array_equal(hidden, read(make(), params, ROWS).hidden)
    for row, places in enumerate(ROWS["cls_positions"]):
        states = np.asarray(hidden, np.float64)[row, places]
        expected = np.tanh(states @ params["pooler"]["kernel"] + params["pooler"]["bias"])
        np.testing.assert_allclose(pooled[row], expected, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
def test_first_values_follow_from_names() -> None:
    """A different head must not change any of them."""
    one, other = (
        jax.jit(network.init)(jax.random.key(7), ROWS)["params"] for network in (make(), Classifier(CONFIG, TOKENS))
    )
    for name in SHARED:
        jax.tree.map(np.testing.assert_array_equal, one[name], other[name])
