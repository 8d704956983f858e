"""AdamW as BERT uses it: linear warm-up, linear decay to zero, no weight decay on biases and normalisation."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from videobert_jax.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Rises linearly to the peak at update `warmup_steps`, then falls linearly; it would be 0 after `steps` updates.

    Neither the first update nor the last is lost to a rate of zero. Raises ValueError if the warm-up takes all steps.
    """
    if not 0 <= config.warmup_steps < steps:
        raise ValueError(
            f"optimizer.warmup_steps={config.warmup_steps} must be at least 0 and less than steps={steps}; "
            "set --config.optimizer.warmup_steps"
        )

    def schedule(done: jax.Array) -> jax.Array:
        rising = (done + 1) / max(config.warmup_steps, 1)
        falling = (steps - done) / (steps - config.warmup_steps)
        return config.learning_rate * jnp.clip(jnp.minimum(rising, falling), 0.0, 1.0)

    return schedule


def make_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """Clipping by the global norm, then AdamW (Loshchilov and Hutter 2019) with the schedule above."""
    adamw = optax.adamw(
        learning_rate(config, steps),
        b1=config.beta1,
        b2=config.beta2,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        mask=_decayed,
    )
    return optax.chain(optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity(), adamw)


def _decayed(params: Any) -> Any:
    """True for what BERT decays: kernels and embedding tables, but no bias and no scale of a LayerNorm."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key not in ("bias", "scale"), params)
