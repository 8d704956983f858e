import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.config import OptimizerConfig
from videobert_jax.training.optimizer import learning_rate, make_optimizer


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    schedule = learning_rate(OptimizerConfig(learning_rate=1.0, warmup_steps=4), steps=12)
    rates = [float(schedule(jnp.int32(done))) for done in range(13)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(rates[4:], np.arange(8, -1, -1) / 8)


def test_without_warm_up_the_first_update_has_the_full_rate() -> None:
    assert float(learning_rate(OptimizerConfig(learning_rate=0.5), steps=10)(jnp.int32(0))) == 0.5


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
def test_a_run_shorter_than_its_warm_up_has_both_halves(steps: int) -> None:
    schedule = learning_rate(OptimizerConfig(learning_rate=1.0, warmup_steps=100), steps)
    rates = [float(schedule(jnp.int32(done))) for done in range(steps)]
    assert max(rates) == 1.0
    assert rates.index(1.0) <= steps // 2
    assert min(rates) > 0.0


def test_only_kernels_and_embeddings_decay() -> None:
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.5)
    params = {
        "token_embedding": {"embedding": jnp.ones(2)},
        "wi": {"kernel": jnp.ones(2), "bias": jnp.ones(2)},
        "norm": {"scale": jnp.ones(2), "bias": jnp.ones(2)},
    }
    optimizer = make_optimizer(config, steps=10)
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    moved = jax.tree.map(lambda x: bool(jnp.any(x != 0)), updates)
    assert moved == {
        "token_embedding": {"embedding": True},
        "wi": {"kernel": True, "bias": False},
        "norm": {"scale": False, "bias": False},
    }


def test_gradients_are_clipped_by_their_global_norm() -> None:
    params = {"a": {"kernel": jnp.zeros(1)}, "b": {"kernel": jnp.zeros(1)}}
    grads = {"a": {"kernel": jnp.full(1, 30.0)}, "b": {"kernel": jnp.full(1, 40.0)}}

    def first_moment(clip_norm: float) -> float:
        optimizer = make_optimizer(OptimizerConfig(clip_norm=clip_norm, beta1=0.0), steps=10)
        _, state = optimizer.update(grads, optimizer.init(params), params)
        adam = next(leaf for leaf in jax.tree.leaves(state, is_leaf=lambda x: hasattr(x, "mu")) if hasattr(leaf, "mu"))
        return float(adam.mu["b"]["kernel"][0])

    np.testing.assert_allclose(first_moment(1.0), 0.8, rtol=1e-6)
    np.testing.assert_allclose(first_moment(0.0), 40.0, rtol=1e-6)
