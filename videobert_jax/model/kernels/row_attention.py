"""Attention over packed rows that computes the [S, S] scores of a head in one block.

Rows of a few hundred positions do not need the tiling of kernels for long rows. On a TPU, a Pallas kernel keeps a head
on the chip; on a CPU, a row stays in the caches. The backward pass recomputes the probabilities from the logarithms of
their sums (Dao et al. 2022, section 3.1), so that nothing [S, S] is stored.

Arrays are [B, H, C, S], positions last: on a TPU, 64 channels last would be padded to twice their size, in memory and
in transfers. The products around attention read and write this layout directly.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from videobert_jax.model.remat import saved

LONGEST = 1024  # positions in the Pallas kernel; the scores of a head then take 4 MiB
LANES = 128  # in a TPU's registers; the number of positions must be a multiple
MASKED_SCORE = -1e30  # of a position that is not visible; each sees itself, so that no sum of exponentials is 0
HEADS_AT_ONCE = 4  # in the Pallas kernel, so that the products of one overlap with the softmax of another
MEMORY = 64 * 2**20  # bytes of on-chip memory for a call of the Pallas kernel

Arrays = tuple[jax.Array, ...]
Head = Callable[..., Arrays]  # (mask [keys, queries], arrays [., S]) -> arrays [., S]


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def row_attention(
    query: jax.Array, key: jax.Array, value: jax.Array, sequence_ids: jax.Array, pallas: bool
) -> jax.Array:
    """Attention within each sequence, with unscaled scores and a float32 softmax.

    Args:
      query, key, value: [B, H, C, S], like the result.
      sequence_ids: int32 [B, S].
      pallas: use the TPU kernel, for S up to `LONGEST` and a multiple of `LANES`.
    """
    return _forward(query, key, value, sequence_ids, pallas)[0]


def _forward(
    query: jax.Array, key: jax.Array, value: jax.Array, ids: jax.Array, pallas: bool
) -> tuple[jax.Array, Arrays]:
    out, sums = _each_head(_attend, (query, key, value), ids, pallas)
    # Marked here, where only the backward pass uses them, they are saved without a rounded copy.
    return out, (saved(query), saved(key), saved(value), ids, saved(sums))


def _backward(pallas: bool, residuals: Arrays, gradient: jax.Array) -> tuple[jax.Array | None, ...]:
    query, key, value, ids, sums = residuals
    return (*_each_head(_gradients, (query, key, value, sums, gradient), ids, pallas), None)


row_attention.defvjp(_forward, _backward)


def _attend(mask: jax.Array, query: jax.Array, key: jax.Array, value: jax.Array) -> Arrays:
    """Returns the output [C, S] of one head, and the log-sum-exp of its scores, float32 [1, S].

    Scores are [keys, queries], so that sums over keys run across registers, not within them.
    """
    scores = jnp.where(mask, _product(key, query, 0, 0), MASKED_SCORE)
    largest = jnp.max(scores, axis=0, keepdims=True)
    shares = jnp.exp(scores - largest)
    total = jnp.sum(shares, axis=0, keepdims=True)
    mixed = _product(value, shares.astype(value.dtype), 1, 0)
    return (mixed / total).astype(value.dtype), largest + jnp.log(total)


def _gradients(
    mask: jax.Array, query: jax.Array, key: jax.Array, value: jax.Array, sums: jax.Array, gradient: jax.Array
) -> Arrays:
    """Returns the gradients of a head's query, key and value (Dao et al. 2022, algorithm 4, in one block)."""
    scores = jnp.where(mask, _product(key, query, 0, 0), MASKED_SCORE)
    shares = jnp.exp(scores - sums)
    of_shares = _product(value, gradient, 0, 0)
    mean = jnp.sum(shares * of_shares, axis=0, keepdims=True)
    of_scores = (shares * (of_shares - mean)).astype(key.dtype)
    of_query = _product(key, of_scores, 1, 0).astype(query.dtype)
    of_key = _product(query, of_scores, 1, 1).astype(key.dtype)
    return of_query, of_key, _product(gradient, shares.astype(gradient.dtype), 1, 1).astype(value.dtype)


def _product(x: jax.Array, y: jax.Array, over_x: int, over_y: int) -> jax.Array:
    return jax.lax.dot_general(x, y, (((over_x,), (over_y,)), ((), ())), preferred_element_type=jnp.float32)


def _each_head(head: Head, inputs: Arrays, ids: jax.Array, pallas: bool) -> Arrays:
    """Applies `head` to every head of every row; inputs and outputs are [B, H, ., S], `ids` [B, S]."""
    if pallas:
        return _by_pallas(head, inputs, ids)

    def row(arrays: tuple[jax.Array, Arrays]) -> Arrays:
        mask, by_head = arrays
        return jax.vmap(functools.partial(head, mask))(*by_head)

    # Masks are computed outside the loop: XLA does not vectorise comparisons of values loaded in a loop.
    return jax.lax.map(row, (ids[:, :, None] == ids[:, None, :], inputs))


def _by_pallas(head: Head, inputs: Arrays, ids: jax.Array) -> Arrays:
    rows, heads, channels, length = inputs[0].shape
    group = next(size for size in range(min(HEADS_AT_ONCE, heads), 0, -1) if heads % size == 0)
    mask = jax.ShapeDtypeStruct((length, length), jnp.bool_)
    one = jax.eval_shape(head, mask, *(jax.ShapeDtypeStruct(x.shape[2:], x.dtype) for x in inputs))
    outputs = [jax.ShapeDtypeStruct((rows, heads, *x.shape), x.dtype) for x in one]
    arrays: list[Any] = [*inputs, *outputs]

    def kernel(row_ids: Any, column_ids: Any, *arrays: Any) -> None:
        mask = column_ids[...] == row_ids[...]
        for index in range(group):
            results = head(mask, *(array[index] for array in arrays[: len(inputs)]))
            for array, result in zip(arrays[len(inputs) :], results, strict=True):
                array[index] = result

    def block(array: Any) -> pl.BlockSpec:
        return pl.BlockSpec((None, group, *array.shape[2:]), lambda row, part: (row, part, 0, 0))

    row_ids, column_ids = ids[:, None, :], ids[:, :, None]
    id_blocks = [pl.BlockSpec((None, *x.shape[1:]), lambda row, part: (row, 0, 0)) for x in (row_ids, column_ids)]
    scores = rows * heads * length**2
    products = 2 if head is _attend else 5
    return tuple(
        pl.pallas_call(
            kernel,
            out_shape=outputs,
            grid=(rows, heads // group),
            in_specs=[*id_blocks, *map(block, inputs)],
            out_specs=[block(x) for x in outputs],
            compiler_params=pltpu.CompilerParams(
                dimension_semantics=("parallel", "arbitrary"), vmem_limit_bytes=MEMORY
            ),
            cost_estimate=pl.CostEstimate(
                flops=2 * products * channels * scores,
                transcendentals=scores,
                bytes_accessed=sum(x.size * x.dtype.itemsize for x in arrays),
            ),
            name=f"row_attention{head.__name__}",
        )(row_ids, column_ids, *inputs)
    )
