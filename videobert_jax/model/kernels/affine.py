"""The product of activations and a kernel, plus a bias, with a gradient of its own."""

import functools

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from videobert_jax.model.kernels.partition import ROWS, gathered, summed_over_rows, tensor_devices


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def affine(
    x: jax.Array, kernel: jax.Array, bias: jax.Array | None, axis: int, dtype: jax.typing.DTypeLike, split: P
) -> jax.Array:
    """x [..., D] times a kernel, plus a bias: multiplied in the dtype of x, summed in float32, rounded to `dtype`.

    Gradients are multiplied and summed alike; those of the parameters stay float32. Left to JAX, they would be rounded
    to the dtype of x, or multiplied in float32. XLA uses the bfloat16 units that some CPUs have for just such products,
    and takes the sums over rows that a bias asks for faster as products.

    Args:
      x: [..., D].
      kernel: float32 [D, F], or [F, D] if `axis` is 1; of several parts, [parts, D, F] with an `axis` of 1.
      bias: float32 [F], or None; of several parts, [parts, F].
      axis: of the kernel, that is summed over.
      dtype: of the result.
      split: mesh axes of the kernel.

    Returns:
      [..., F], or [..., parts, F].
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
    """Float32: x [..., D] times `gradient` [..., F] or [..., parts, F], summed over rows, as the kernel is laid out."""

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
    """Of a product that devices may have to sum up: `dtype` if a `tensor` axis splits it, to send half the bytes."""
    return dtype if tensor_devices() > 1 else jnp.float32
