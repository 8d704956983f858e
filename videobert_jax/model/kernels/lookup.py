"""Embedding look-up with a custom gradient."""

import functools

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from videobert_jax.model.kernels.partition import ROW_WISE, ROWS, gathered, held, summed_over_rows, tensor_devices


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def lookup(table: jax.Array, ids: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Reads rows [B, S, D] of `table`, float32 [V, D] split `ROW_WISE`, at `ids`, int32 [B, S], in `dtype`.

    An id outside the table reads as NaN. The gradient is accumulated in float32.
    """
    whole = gathered(held(table.astype(dtype), ROW_WISE), ROW_WISE)
    return held(jnp.take(whole, ids, axis=0), ROWS)


def _lookup_forward(
    table: jax.Array, ids: jax.Array, dtype: jax.typing.DTypeLike
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return lookup(table, ids, dtype), (table, ids)


def _lookup_backward(
    _: jax.typing.DTypeLike, inputs: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, None]:
    table, ids = inputs
    rows, width = table.shape[0] // tensor_devices(), table.shape[1]

    def part(ids: jax.Array, gradient: jax.Array) -> jax.Array:
        first = jax.lax.axis_index("tensor") * rows if tensor_devices() > 1 else 0
        own = (first <= ids) & (ids < first + rows)
        zeros = jnp.zeros((rows, width), jnp.float32)
        return zeros.at[jnp.where(own, ids - first, rows)].add(gradient.astype(jnp.float32), mode="drop")

    return summed_over_rows(part, (P(*ROWS, None), P(*ROWS, None, None)), ROW_WISE)(ids, gradient), None


lookup.defvjp(_lookup_forward, _lookup_backward)
