"""The state that a run carries from step to step."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
    """The complete state: together with the config it determines the rest of the run bitwise.

    Attributes:
      step: int32 [], number of updates; the next batch is a pure function of it and the seed.
      params: the model's parameters, float32.
      opt_state: the optimizer's moments and counts.
      rng: typed PRNG key []; every step folds in its number.
    """

    step: jax.Array
    params: Any
    opt_state: optax.OptState
    rng: jax.Array


def initializer(
    init_params: Callable[[jax.Array], Any], optimizer: optax.GradientTransformation, seed: int
) -> Callable[[], TrainState]:
    """A function without arguments that creates the initial state; trace it for shapes, or jit it with shardings."""

    def init() -> TrainState:
        params_key, rng = jax.random.split(jax.random.key(seed))
        params = init_params(params_key)
        return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), rng)

    return init
