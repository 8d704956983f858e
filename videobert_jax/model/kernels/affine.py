"""The affine map of activations, with a custom gradient."""

import functools

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from videobert_jax.model.kernels.partition import ROWS, gathered, summed_over_rows, tensor_devices


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def affine(
    x: jax.Array, kernel: jax.Array, bias: jax.Array | None, axis: int, dtype: jax.typing.DTypeLike, split: P
) -> jax.Array:
    """Multiplies x by a kernel in the dtype of x, accumulates in float32, adds a bias and rounds to `dtype`.

    Gradients are computed alike; those of the parameters stay float32, while JAX's own would be rounded to the dtype of
    x, or multiplied in float32. XLA uses a CPU's bfloat16 units for such products, and sums a bias's gradient faster
    as a product.

    Args:
      x: [..., D].
      kernel: float32 [D, F], or [F, D] or [parts, D, F] if `axis` is 1.
      bias: float32 [F] or [parts, F], or None.
      axis: the kernel's axis to contract.
      dtype: of the result, [..., F] or [..., parts, F].
      split: mesh axes of the kernel.
    """
    result = _summed(x, gathered(kernel.astype(x.dtype), split), ((x.ndim - 1,), (axis,)), _sent_as(dtype))
    return (result if bias is None else result + jnp.broadcast_to(bias, result.shape)).astype(dtype)


def _affine_forward(
    x: jax.Array, kernel: jax.Array, bias: jax.Array | None, axis: int, dtype: jax.typing.DTypeLike, split: P
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, bool]]:
    return affine(x, kernel, bias, axis, dtype, split), (x, kernel, bias is None)


def _affine_backward(
    axis: int, _: jax.typing.DTypeLike, split: P, inputs: tuple[jax.Array, jax.Array, bool], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    x, kernel, unbiased = inputs
    gradient = gradient.astype(x.dtype)
    rows = tuple(range(x.ndim - 1))
    features = tuple(range(x.ndim - 1, gradient.ndim)), tuple(i for i in range(kernel.ndim) if i != axis)
    whole = gathered(kernel.astype(x.dtype), split)
    of_x = _summed(gradient, whole, features, _sent_as(x.dtype)).astype(x.dtype)
    of_kernel = _gradient_of_kernel(x, gradient, axis, split)
    of_bias = None if unbiased else _summed(jnp.ones(x.shape[:-1], x.dtype), gradient, (rows, rows))
    return of_x, of_kernel, of_bias


affine.defvjp(_affine_forward, _affine_backward)


def _gradient_of_kernel(x: jax.Array, gradient: jax.Array, axis: int, split: P) -> jax.Array:
    """The product of x and `gradient`, summed over rows: float32, in the kernel's layout."""

    def product(x: jax.Array, gradient: jax.Array) -> jax.Array:
        rows = tuple(range(x.ndim - 1))
        if axis == 0:
            return _summed(x, gradient, (rows, rows))
        return jnp.moveaxis(_summed(gradient, x, (rows, rows)), -1, axis)

    features = [None if name == "fsdp" else name for name in split]
    of_x = features.pop(axis)
    rows = (*ROWS, *[None] * (x.ndim - 2))
    return summed_over_rows(product, (P(*rows, of_x), P(*rows, *features)), split)(x, gradient)


def _summed(
    x: jax.Array,
    y: jax.Array,
    over: tuple[tuple[int, ...], tuple[int, ...]],
    dtype: jax.typing.DTypeLike = jnp.float32,
) -> jax.Array:
    return jax.lax.dot_general(x, y, (over, ((), ())), preferred_element_type=dtype)


def _sent_as(dtype: jax.typing.DTypeLike) -> jax.typing.DTypeLike:
    """The dtype of a product: `dtype` if devices sum it over a `tensor` axis, to send half the bytes; else float32."""
    return dtype if tensor_devices() > 1 else jnp.float32
