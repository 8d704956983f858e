"""The two pure functions of training: (state, batch) -> (next state, metrics), and (params, batch) -> metrics.

Every metric is a (sum, count) pair over the global batch; the reader takes the mean.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from videobert_jax.objectives.objective import Metrics, Objective, total
from videobert_jax.training.optimizer import Optimizer
from videobert_jax.training.reporting import module_norms
from videobert_jax.training.sharding import BATCH
from videobert_jax.training.state import TrainState

Params = Any
Batch = dict[str, jax.Array]  # see data/batch.py


def make_train_step(
    network: nn.Module, objective: Objective, optimizer: Optimizer, accumulation: int
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """One update from a batch, split into `accumulation` micro-batches.

    Adds to the objective's metrics: `loss`, `grad_norm` (before clipping), `parameter_norm` (after the update),
    `learning_rate`, and `fill`, the share of positions that are not padding. `norms`, float32 [2 M] with a count of 0,
    is for the report of a non-finite step: norms of the gradient's M modules, then of the updated parameters'.
    """

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        # Micro-batches are weighted by the counts of the whole batch, which are known before any forward pass.
        counts = objective.counts(batch)

        def loss(params: Params, rows: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
            outputs = network.apply({"params": params}, rows, deterministic=False, rngs={"dropout": key})
            metrics = objective(outputs, rows)
            return total(metrics, objective.weights, counts), metrics

        rng = jax.random.fold_in(state.rng, state.step)
        gradient = jax.value_and_grad(loss, has_aux=True)
        (value, metrics), grads = _accumulate(gradient, state.params, batch, rng, accumulation)
        updates, opt_state = optimizer.transformation.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        one = jnp.ones(())
        gradient_norms, parameter_norms = module_norms.vector(grads), module_norms.vector(params)
        metrics = {
            "loss": (value, one),
            **metrics,
            "grad_norm": (jnp.linalg.norm(gradient_norms), one),
            "parameter_norm": (jnp.linalg.norm(parameter_norms), one),
            "learning_rate": (optimizer.learning_rate(state.step), one),
            "fill": _fill(batch),
            "norms": (jnp.concatenate([gradient_norms, parameter_norms]), jnp.zeros(())),
        }
        return TrainState(state.step + 1, params, opt_state, state.rng), metrics

    return train_step


def make_eval_step(network: nn.Module, objective: Objective) -> Callable[[Params, Batch], Metrics]:
    """The objective's metrics on a batch, without dropout."""

    def eval_step(params: Params, batch: Batch) -> Metrics:
        return objective(network.apply({"params": params}, batch), batch)

    return eval_step


def _accumulate(gradient: Callable[..., Any], params: Params, batch: Batch, rng: jax.Array, parts: int) -> Any:
    """The sum of `gradient(params, part, key)` over `parts` micro-batches, sequentially in constant memory."""
    if parts == 1:
        return gradient(params, batch, rng)
    micro_batches = jax.tree.map(lambda x: _split(x, parts), batch)
    keys = jax.random.split(rng, parts)
    first = jax.tree.map(lambda x: x[0], micro_batches)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(gradient, params, first, rng))

    def add(sums: Any, part: tuple[Batch, jax.Array]) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, sums, gradient(params, *part)), None

    return jax.lax.scan(add, zeros, (micro_batches, keys))[0]


def _split(x: jax.Array, parts: int) -> jax.Array:
    """Rows [B, ...] to micro-batches [parts, B / parts, ...] of every `parts`-th row: no row leaves its device."""
    x = jnp.moveaxis(x.reshape(x.shape[0] // parts, parts, *x.shape[1:]), 1, 0)
    if jax.sharding.get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, jax.P(None, *BATCH))


def _fill(batch: Batch) -> tuple[jax.Array, jax.Array]:
    ids = batch["sequence_ids"]
    return jnp.sum(ids > 0).astype(jnp.float32), jnp.full((), ids.size, jnp.float32)
