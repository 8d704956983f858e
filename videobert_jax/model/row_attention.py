"""Attention of packed rows on TPUs: a Pallas kernel that holds whole rows in the chip's own memory.

Rows of some hundred positions need none of the bookkeeping of kernels for long ones: the scores of a head, [S, S], fit
on the chip at once. Arrays are [B, H C, S], positions last: with C = 64 channels last, each would be padded to twice
its size, in memory and on the way there. The products around attention read and write this layout as it is.

The backward pass computes the probabilities again, from the logarithm of their sums (Dao et al. 2022, section 3.1).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from videobert_jax.model.primitives import saved

LONGEST = 1024  # positions; the scores of a head are then 4 MiB
LANES = 128  # of the chip's registers, which positions have to fill
MASKED_SCORE = -1e30  # of a position that is not seen; each sees itself, so that no sum of probabilities is 0
HEADS_AT_ONCE = 4  # so that the products of one overlap with the softmax of another
MEMORY = 64 * 2**20  # bytes on the chip that one call may use

Residuals = tuple[jax.Array, ...]


@jax.custom_vjp
def row_attention(query: jax.Array, key: jax.Array, value: jax.Array, sequence_ids: jax.Array) -> jax.Array:
    """Attention to the positions of the same sequence, softmax in float32.

    Args:
      query, key, value: [B, H, C, S]; scores are their plain products.
      sequence_ids: int32 [B, S]; S at most `LONGEST`, and a multiple of `LANES`.

    Returns:
      [B, H, C, S].
    """
    return _forward(query, key, value, sequence_ids)[0]


def _forward(query: jax.Array, key: jax.Array, value: jax.Array, ids: jax.Array) -> tuple[jax.Array, Residuals]:
    rows, heads, _, length = query.shape
    out, sums = _call(
        _forward_kernel,
        (query, key, value),
        ids,
        outputs=[query, jax.ShapeDtypeStruct((rows, heads, 1, length), jnp.float32)],
        products=2,
    )
    # Marked here, where nothing but the backward pass uses them, they need not be rounded, and so copied, to be saved.
    return out, (saved(query), saved(key), saved(value), ids, saved(sums))


def _backward(residuals: Residuals, gradient: jax.Array) -> tuple[jax.Array | None, ...]:
    query, key, value, ids, sums = residuals
    inputs = (query, key, value, sums, gradient)
    return (*_call(_backward_kernel, inputs, ids, outputs=[query, key, value], products=5), None)


row_attention.defvjp(_forward, _backward)


def _forward_kernel(mask: jax.Array, query: Any, key: Any, value: Any, out: Any, sums: Any) -> None:
    """Of one head; scores are [keys, queries], so that sums over keys run over registers, not within them."""
    scores = jnp.where(mask, _product(key[...], query[...], 0, 0), MASKED_SCORE)
    largest = jnp.max(scores, axis=0, keepdims=True)
    shares = jnp.exp(scores - largest)
    total = jnp.sum(shares, axis=0, keepdims=True)
    mixed = _product(value[...], shares.astype(value.dtype), 1, 0)
    out[...] = (mixed / total).astype(out.dtype)
    sums[...] = largest + jnp.log(total)


def _backward_kernel(
    mask: jax.Array,
    query: Any,
    key: Any,
    value: Any,
    sums: Any,
    gradient: Any,
    query_gradient: Any,
    key_gradient: Any,
    value_gradient: Any,
) -> None:
    """Of one head; Dao et al. 2022, algorithm 4, in one block, which needs no result of the forward pass but sums."""
    scores = jnp.where(mask, _product(key[...], query[...], 0, 0), MASKED_SCORE)
    shares = jnp.exp(scores - sums[...])
    from_values = _product(value[...], gradient[...], 0, 0)
    mean = jnp.sum(shares * from_values, axis=0, keepdims=True)
    score_gradient = (shares * (from_values - mean)).astype(key.dtype)
    query_gradient[...] = _product(key[...], score_gradient, 1, 0).astype(query_gradient.dtype)
    key_gradient[...] = _product(query[...], score_gradient, 1, 1).astype(key_gradient.dtype)
    value_gradient[...] = _product(gradient[...], shares.astype(gradient.dtype), 1, 1).astype(value_gradient.dtype)


def _product(x: jax.Array, y: jax.Array, over_x: int, over_y: int) -> jax.Array:
    """Sums over one axis of either, in float32."""
    return jax.lax.dot_general(x, y, (((over_x,), (over_y,)), ((), ())), preferred_element_type=jnp.float32)


def _call(
    head: Callable[..., None], inputs: Residuals, ids: jax.Array, outputs: list[Any], products: int
) -> list[jax.Array]:
    """Runs the kernel `head` for every head of every row; inputs and outputs are [B, H, ., S], `ids` [B, S].

    `products`: how many of them, of S x S by C channels, a head takes.
    """
    rows, heads, channels, length = inputs[0].shape
    group = next(size for size in range(min(HEADS_AT_ONCE, heads), 0, -1) if heads % size == 0)

    def kernel(row_ids: Any, column_ids: Any, *arrays: Any) -> None:
        mask = column_ids[...] == row_ids[...]
        for index in range(group):
            head(mask, *(array.at[index] for array in arrays))

    def block(array: Any) -> pl.BlockSpec:
        return pl.BlockSpec((None, group, *array.shape[2:]), lambda row, part: (row, part, 0, 0))

    row_ids, column_ids = ids[:, None, :], ids[:, :, None]
    id_blocks = [pl.BlockSpec((None, *x.shape[1:]), lambda row, part: (row, 0, 0)) for x in (row_ids, column_ids)]
    scores = rows * heads * length**2
    return pl.pallas_call(
        kernel,
        out_shape=[jax.ShapeDtypeStruct(x.shape, x.dtype) for x in outputs],
        grid=(rows, heads // group),
        in_specs=[*id_blocks, *map(block, inputs)],
        out_specs=[block(x) for x in outputs],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel", "arbitrary"), vmem_limit_bytes=MEMORY),
        cost_estimate=pl.CostEstimate(
            flops=2 * products * channels * scores,
            transcendentals=scores,
            bytes_accessed=sum(x.size * x.dtype.itemsize for x in (*inputs, *outputs)),
        ),
        name=head.__name__.strip("_"),
    )(row_ids, column_ids, *inputs)
