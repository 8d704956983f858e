"""AdamW as BERT uses it: linear warm-up, linear decay to zero, no weight decay on biases and normalisation."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from videobert_jax.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Rises linearly to the peak at update `warmup_steps`, then falls linearly; it would be 0 after `steps` updates.

    A run too short for its warm-up warms up for half of its steps. Neither the first update nor the last is lost to a
    rate of zero.
    """
    warmup = min(config.warmup_steps, steps // 2)

    def schedule(done: jax.Array) -> jax.Array:
        rising = (done + 1) / max(warmup, 1)
        falling = (steps - done) / (steps - warmup)
        return config.learning_rate * jnp.clip(jnp.minimum(rising, falling), 0.0, 1.0)

    return schedule


def make_optimizer(config: OptimizerConfig, steps: int, frozen_rows: range = range(0)) -> optax.GradientTransformation:
    """Clipping by the global norm, then AdamW (Loshchilov and Hutter 2019) with the schedule above.

    `frozen_rows` of the token embedding stay as they are: neither their gradient nor their decay moves them.
    """
    frozen = _frozen(frozen_rows)
    adamw = optax.adamw(
        learning_rate(config, steps),
        b1=config.beta1,
        b2=config.beta2,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        mask=_decayed,
    )
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    return optax.chain(frozen, clip, adamw, frozen) if frozen_rows else optax.chain(clip, adamw)


def _frozen(rows: range) -> optax.GradientTransformation:
    """Sets the updates of some rows of the token embedding to zero."""

    def still(path: tuple[Any, ...], update: jax.Array) -> jax.Array:
        if jax.tree_util.keystr(path, simple=True, separator="/").endswith("token_embedding/embedding"):
            return update.at[rows.start : rows.stop].set(0)
        return update

    return optax.stateless(lambda updates, _: jax.tree_util.tree_map_with_path(still, updates))


def _decayed(params: Any) -> Any:
    """True for what BERT decays: kernels and embedding tables, but no bias and no scale of a LayerNorm."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key not in ("bias", "scale"), params)
