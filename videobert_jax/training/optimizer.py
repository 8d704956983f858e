"""Optimizers: linear warm-up, a schedule, no weight decay of biases and norms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from videobert_jax.config import OptimizerConfig
from videobert_jax.tasks.task import Frozen


def learning_rate(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Rises linearly to the peak at update `warmup_steps`, then follows `config.schedule` to 0 after `steps` updates.

    BERT's is "linear". The first and the last update have nonzero rates. A run of fewer than 2 x `warmup_steps` steps
    warms up for half of them.
    """
    warmup = min(config.warmup_steps, steps // 2)

    def schedule(done: jax.Array) -> jax.Array:
        rising = (done + 1) / max(warmup, 1)
        left = (steps - done) / (steps - warmup)
        if config.schedule == "linear":
            factor = jnp.minimum(rising, left)
        elif config.schedule == "cosine":
            factor = jnp.minimum(rising, jnp.sin(jnp.clip(left, 0.0, 1.0) * jnp.pi / 2) ** 2)
        else:
            factor = rising
        return config.learning_rate * jnp.clip(factor, 0.0, 1.0)

    return schedule


class Optimizer(NamedTuple):
    """A gradient transformation and its learning rate schedule."""

    transformation: optax.GradientTransformation
    learning_rate: optax.Schedule


def make_optimizer(config: OptimizerConfig, steps: int, frozen: Sequence[Frozen] = ()) -> Optimizer:
    """Clips by the global norm, then applies the optimizer `config.name` with the schedule above.

    Neither gradients nor weight decay change frozen parameters or rows. Parameters frozen as a whole have no moments.
    """
    schedule = learning_rate(config, steps)
    optimizer = OPTIMIZERS[config.name](config, schedule)
    if config.layer_decay < 1:
        optimizer = optax.chain(optimizer, _by_depth(config.layer_decay))
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    rows = {one.path: one.rows for one in frozen if one.rows}
    still = _still(rows)
    chain = optax.chain(still, clip, optimizer, still) if rows else optax.chain(clip, optimizer)
    whole = tuple(one.path for one in frozen if one.rows is None)
    if whole:
        parts = {"trained": chain, "frozen": optax.set_to_zero()}
        chain = optax.partition(parts, _by(lambda keys: "frozen" if _is_below(keys, whole) else "trained"))
    return Optimizer(chain, schedule)


def _is_below(keys: Sequence[str], paths: Sequence[str]) -> bool:
    return any(keys[: len(parts)] == parts for parts in (path.split("/") for path in paths))


def _adamw(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """Loshchilov and Hutter 2019."""
    return optax.adamw(
        rate, b1=config.beta1, b2=config.beta2, eps=config.epsilon, weight_decay=config.weight_decay, mask=_decayed
    )


def _lamb(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """You et al. 2020: Adam, each matrix's update scaled to its norm; parameters without decay are not scaled."""
    adapted = optax.chain(
        optax.scale_by_adam(b1=config.beta1, b2=config.beta2, eps=config.epsilon),
        optax.add_decayed_weights(config.weight_decay, _decayed),
        optax.masked(optax.scale_by_trust_ratio(), _decayed),
    )
    return optax.chain(_each_matrix(adapted), optax.scale_by_learning_rate(rate))


def _adafactor(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """Shazeer and Stern 2018: factored second moments, updates scaled to the parameter, no momentum."""
    scaled = optax.adafactor(None, weight_decay_rate=None)  # flips the sign at its end
    decay = optax.add_decayed_weights(-config.weight_decay, _decayed)
    return optax.chain(_each_matrix(scaled), decay, optax.scale_by_schedule(rate))


def _muon(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """Jordan et al. 2024 for the encoder's kernels, AdamW for the rest.

    Updates are scaled to the root mean square of AdamW's (Liu et al. 2025, equation 4), so both share one rate.
    """
    muon = optax.contrib.muon(
        rate, weight_decay=config.weight_decay, muon_weight_dimension_numbers=_matrix_axes, consistent_rms=0.2
    )
    return optax.partition({"matrix": muon, "other": _adamw(config, rate)}, _by(_muon_or_other))


OPTIMIZERS = {"adamw": _adamw, "lamb": _lamb, "adafactor": _adafactor, "muon": _muon}


def _each_matrix(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Applies `inner` to each layer and each part of a fused kernel separately, so that their norms do not mix."""
    stacked = optax.GradientTransformation(jax.vmap(inner.init), jax.vmap(inner.update))
    fused = optax.GradientTransformation(jax.vmap(stacked.init), jax.vmap(stacked.update))
    return optax.partition({"one": inner, "one_a_layer": stacked, "parts_of_each_layer": fused}, _by(_how_stacked))


def _how_stacked(keys: list[str]) -> str:
    if "layers" not in keys:
        return "one"
    return "parts_of_each_layer" if keys[-2] in ("qkv", "wi_gated") else "one_a_layer"


def _muon_or_other(keys: list[str]) -> str:
    return "matrix" if "layers" in keys and keys[-1] == "kernel" else "other"


def _matrix_axes(params: Any) -> Any:
    return jax.tree.map(lambda x: optax.contrib.MuonDimensionNumbers(x.ndim - 2, x.ndim - 1), params)


def _by(choose: Callable[[list[str]], Any]) -> Callable[[Any], Any]:
    """A function that maps a tree of parameters to the choice for the keys of each path."""
    return lambda params: jax.tree_util.tree_map_with_path(lambda path, _: choose([x.key for x in path]), params)


def _still(rows: Mapping[str, range]) -> optax.GradientTransformation:
    """Zeroes the updates of `rows`, keyed by parameter path."""

    def still(path: tuple[Any, ...], update: jax.Array) -> jax.Array:
        frozen = rows.get(jax.tree_util.keystr(path, simple=True, separator="/"))
        if frozen is None:
            return update
        row = jnp.arange(update.shape[0])  # zeroing a slice would gather arrays sharded by rows
        return jnp.where(((row < frozen.start) | (row >= frozen.stop))[:, None], update, 0)

    return optax.stateless(lambda updates, _: jax.tree_util.tree_map_with_path(still, updates))


def _by_depth(decay: float) -> optax.GradientTransformation:
    """Scales the updates of layer l of L, of all encoders, by ``decay ** (L - l)``, l from 0, and the embeddings' most.

    BEiT (Bao et al. 2022) and ELECTRA (Clark et al. 2020) are fine-tuned so.
    """

    def scaled(path: tuple[Any, ...], update: jax.Array, depth: int) -> jax.Array:
        keys = [one.key for one in path]
        if keys[0] == "embeddings":
            return update * decay ** (depth + 1)
        if "layers" not in keys:
            return update
        factors = decay ** jnp.arange(depth, 0, -1, dtype=jnp.float32)
        return update * factors.reshape(-1, *(1,) * (update.ndim - 1)).astype(update.dtype)

    def scale(updates: Any, params: Any) -> Any:
        del params
        leaves = jax.tree_util.tree_leaves_with_path(updates)
        depth = max((x.shape[0] for path, x in leaves if "layers" in [one.key for one in path]), default=0)
        return jax.tree_util.tree_map_with_path(lambda path, update: scaled(path, update, depth), updates)

    return optax.stateless(scale)


def _decayed(params: Any) -> Any:
    """True for kernels and embedding tables; False for biases and LayerNorm scales, as in BERT."""
    return _by(lambda keys: keys[-1] not in ("bias", "scale"))(params)
