from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AbstractMesh

from videobert_jax.config import OptimizerConfig
from videobert_jax.training import sharding
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
    optimizer = make_optimizer(config, steps=10).transformation
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
        optimizer = make_optimizer(OptimizerConfig(clip_norm=clip_norm, beta1=0.0), steps=10).transformation
        _, state = optimizer.update(grads, optimizer.init(params), params)
        adam = next(leaf for leaf in jax.tree.leaves(state, is_leaf=lambda x: hasattr(x, "mu")) if hasattr(leaf, "mu"))
        return float(adam.mu["b"]["kernel"][0])

    np.testing.assert_allclose(first_moment(1.0), 0.8, rtol=1e-6)
    np.testing.assert_allclose(first_moment(0.0), 40.0, rtol=1e-6)


WEIGHT = jax.random.normal(jax.random.key(0), (2, 3, 160, 128)) * jnp.arange(1, 7).reshape(2, 3, 1, 1)
GRADIENT = jax.random.normal(jax.random.key(1), WEIGHT.shape) * jnp.arange(6, 0, -1).reshape(2, 3, 1, 1)
OPTIMIZERS = ("adamw", "lamb", "adafactor", "muon")


def tree_of(fused: jax.Array) -> dict[str, Any]:
    """Two layers with a fused kernel, and parameters other than matrices of the encoder."""
    layers = {"qkv": {"kernel": fused, "bias": fused[..., 0, :]}, "wo": {"kernel": fused[:, 0]}}
    return {"encoder": {"layers": layers}, "token_embedding": {"embedding": fused[0, 0]}}


def first_update(name: str, rate: float = 0.1, **changes: Any) -> tuple[dict[str, Any], Any]:
    optimizer = make_optimizer(
        OptimizerConfig(name=name, learning_rate=rate, clip_norm=0.0, **changes), steps=10
    ).transformation
    return optimizer.update(tree_of(GRADIENT), optimizer.init(tree_of(WEIGHT)), tree_of(WEIGHT))


def norms(x: jax.Array) -> np.ndarray:
    return np.asarray(jnp.linalg.norm(x, axis=(-2, -1)))


@pytest.mark.slow
def test_lamb_moves_each_matrix_by_its_own_length() -> None:
    """Separately for every layer, and for query, key and value, although they are one array."""
    updates, _ = first_update("lamb", epsilon=1e-12)
    layers = updates["encoder"]["layers"]
    np.testing.assert_allclose(norms(layers["qkv"]["kernel"]), 0.1 * norms(WEIGHT), rtol=1e-5)
    np.testing.assert_allclose(norms(layers["wo"]["kernel"]), 0.1 * norms(WEIGHT[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(norms(updates["token_embedding"]["embedding"]), 0.1 * norms(WEIGHT[0, 0]), rtol=1e-5)
    # A bias moves as in Adam, whose first update is the sign of the gradient.
    np.testing.assert_allclose(np.abs(layers["qkv"]["bias"]), 0.1, rtol=1e-4)


@pytest.mark.slow
def test_adafactor_moves_each_matrix_by_its_own_size_and_keeps_sums_only() -> None:
    updates, state = first_update("adafactor", weight_decay=0.0)
    kernel = updates["encoder"]["layers"]["qkv"]["kernel"]
    # The update of each matrix is clipped to a root mean square of 1, then multiplied by that of the matrix.
    np.testing.assert_allclose(norms(kernel), 0.1 * norms(WEIGHT), rtol=0.01)
    assert np.mean(np.sign(kernel) == -np.sign(GRADIENT)) == 1
    sizes = [leaf.size for leaf in jax.tree.leaves(state)]
    assert max(sizes) == 2 * 3 * 160
    decayed, _ = first_update("adafactor", weight_decay=0.5)
    difference = decayed["encoder"]["layers"]["qkv"]["kernel"] - kernel
    np.testing.assert_allclose(difference, -0.1 * 0.5 * WEIGHT, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_muon_makes_the_updates_of_matrices_orthogonal() -> None:
    updates, _ = first_update("muon", weight_decay=0.0)
    kernels = updates["encoder"]["layers"]["qkv"]["kernel"]
    lengths = np.linalg.svd(np.asarray(kernels), compute_uv=False)
    # Five steps of Newton and Schulz bring singular values near to each other, not to one value.
    assert (lengths.max(-1) / lengths.min(-1)).max() < 2
    np.testing.assert_allclose(norms(kernels) / np.sqrt(160 * 128), 0.1 * 0.2, rtol=0.2)
    adamw, _ = first_update("adamw", weight_decay=0.0)
    for path in (("encoder", "layers", "qkv", "bias"), ("token_embedding", "embedding")):
        mine, theirs = updates, adamw
        for key in path:
            mine, theirs = mine[key], theirs[key]
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_decays_kernels_and_embeddings_only(name: str) -> None:
    with_decay, without = (first_update(name, weight_decay=decay)[0] for decay in (0.5, 0.0))
    moved = jax.tree.map(lambda x, y: bool(jnp.any(x != y)), with_decay, without)
    layers = {"qkv": {"kernel": True, "bias": False}, "wo": {"kernel": True}}
    assert moved == {"encoder": {"layers": layers}, "token_embedding": {"embedding": True}}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill(name: str) -> None:
    """Minimises a quadratic function of all parameters."""
    config = OptimizerConfig(name=name, learning_rate=0.2, clip_norm=0.0, weight_decay=0.0)
    optimizer = make_optimizer(config, steps=30).transformation
    params = tree_of(WEIGHT[:, :, :8, :4])
    state = optimizer.init(params)
    first = optax.tree.norm(params)
    for _ in range(20):
        updates, state = jax.jit(optimizer.update)(params, state, params)
        params = optax.apply_updates(params, updates)
    assert optax.tree.norm(params) < 0.9 * first


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_moments_are_split_as_their_parameters(name: str) -> None:
    optimizer = make_optimizer(OptimizerConfig(name=name), steps=10).transformation
    mesh = AbstractMesh((1, 2, 2), sharding.AXES)
    params = {"encoder": {"layers": tree_of(WEIGHT)["encoder"]["layers"]}}
    state = sharding.placed(jax.eval_shape(optimizer.init, params), mesh)
    large = [leaf for leaf in jax.tree.leaves(state) if leaf.size >= WEIGHT[:, 0].size]
    assert len(large) == {"adamw": 4, "lamb": 4, "adafactor": 0, "muon": 2}[name]
    assert all({"fsdp", "tensor"} <= set(leaf.sharding.spec) for leaf in large)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [("cosine", [0.5, 1.0, 0.853553, 0.5, 0.146447, 0.0]), ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0])],
)
def test_after_the_warm_up_comes_a_schedule(schedule: str, rates: list[float]) -> None:
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=2, schedule=schedule)
    found = learning_rate(config, steps=6)
    steps = (0, 1, 3, 4, 5, 6)
    np.testing.assert_allclose([float(found(jnp.int32(done))) for done in steps], rates, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lower_layers_move_less(name: str) -> None:
    params = {**tree_of(WEIGHT), "embeddings": {"embedding": WEIGHT[0, 0]}, "class_head": {"kernel": WEIGHT[0, 0]}}
    grads = jax.tree.map(lambda x: jnp.ones_like(x), params)

    def update(decay: float) -> dict[str, Any]:
        config = OptimizerConfig(name=name, learning_rate=0.1, clip_norm=0.0, layer_decay=decay)
        optimizer = make_optimizer(config, steps=10).transformation
        return optimizer.update(grads, optimizer.init(params), params)[0]

    plain, decayed = update(1.0), update(0.5)
    layers = decayed["encoder"]["layers"]["wo"]["kernel"], plain["encoder"]["layers"]["wo"]["kernel"]
    for layer, factor in enumerate((0.25, 0.5)):
        np.testing.assert_allclose(layers[0][layer], factor * layers[1][layer], rtol=1e-6)
    np.testing.assert_allclose(decayed["embeddings"]["embedding"], 0.125 * plain["embeddings"]["embedding"], rtol=1e-6)
    np.testing.assert_array_equal(decayed["class_head"]["kernel"], plain["class_head"]["kernel"])
