"""The parts that every layer is made of, with BERT's settings (Devlin et al. 2019, appendix A.2)."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import PartitionSpec as P

from videobert_jax.config import ModelConfig
from videobert_jax.model.partition import (
    COLUMN_WISE,
    ROW_WISE,
    ROWS,
    UNSPLIT,
    gathered,
    held,
    summed_over_rows,
    tensor_devices,
)

NORM_EPSILON = 1e-12
SAVED = "product"  # name of what `remat` "dots" saves for the backward pass
ROTARY_BASE = 10_000.0


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


class Dense(nn.Module):
    """Affine map of the last axis, D -> `features`: float32 parameters, computed in `config.dtype`."""

    config: ModelConfig
    features: int
    split: P = UNSPLIT

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps x [..., D] to [..., features] in `config.dtype`."""
        kernel = self.param("kernel", nn.initializers.normal(self.config.init_std), (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,)) if self.config.use_bias else None
        return affine(x.astype(self.config.dtype), kernel, bias, 0, self.config.dtype, self.split)


class SplitDense(nn.Module):
    """Several affine maps of one input, D -> `features` each, with their kernels stacked, [parts, D, features].

    Split over a `tensor` mesh axis by its last dimension, the kernel gives each device whole heads of each part.

    Attributes:
      scales: of each part, a factor of its result; taken into the kernel and the bias, which are smaller.
    """

    config: ModelConfig
    features: int
    scales: tuple[float, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> list[jax.Array]:
        """Maps x [..., D] to as many arrays [..., features] in `config.dtype` as there are scales."""
        config, parts = self.config, len(self.scales)
        kernel = self.param("kernel", nn.initializers.normal(config.init_std), (parts, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (parts, self.features)) if config.use_bias else None
        if tensor_devices() > 1:  # one product: devices sum up one gradient of x, where each part would have its own
            scales = jnp.array(self.scales)[:, None]
            bias = None if bias is None else scales * bias
            product = affine(x, scales[..., None] * kernel, bias, 1, config.dtype, P(None, *COLUMN_WISE))
            return [product[..., part, :] for part in range(parts)]
        # Sliced after one product, the parts would be copied; where one is faster, XLA merges those of one input.
        return [
            affine(x, scale * kernel[part], None if bias is None else scale * bias[part], 0, config.dtype, COLUMN_WISE)
            for part, scale in enumerate(self.scales)
        ]


def embed(config: ModelConfig, rows: int, name: str | None = None) -> nn.Embed:
    """Table of `rows` vectors [rows, hidden_size], read in `config.dtype`; an id outside the table reads as NaN."""
    return nn.Embed(
        rows, config.hidden_size, dtype=config.dtype, embedding_init=nn.initializers.normal(config.init_std), name=name
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def lookup(table: jax.Array, ids: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Rows of `table`, float32 [V, D] split `ROW_WISE`, by `ids` int32 [B, S]: `dtype` [B, S, D].

    An id outside the table reads as NaN. The gradient is summed in float32.
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


def norm(config: ModelConfig, name: str | None = None) -> nn.LayerNorm:
    """Layer normalisation: statistics and scaling in float32, the result in `config.dtype`."""
    return nn.LayerNorm(epsilon=NORM_EPSILON, dtype=config.dtype, use_bias=config.use_bias, name=name)


class Dropout(nn.Module):
    """Dropout that draws one byte for each value, so that `rate` is rounded to a multiple of 1/256.

    `nn.Dropout` draws four. On a CPU, drawing took a fifth of the step of a small model, and so takes next to nothing.
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool) -> jax.Array:
        """Zeroes values of x [..., D], D a multiple of 4, and scales the others so that the mean stays as it is."""
        kept = round((1 - self.rate) * 256)  # of 256
        if deterministic or kept == 256:
            return x
        words = jax.random.bits(self.make_rng("dropout"), (*x.shape[:-1], x.shape[-1] // 4), jnp.uint32)
        octets = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(x.shape)
        return jnp.where(octets < kept, x * (256 / max(kept, 1)), jnp.zeros_like(x))


def saved(x: jax.Array) -> jax.Array:
    """Marks `x`, a result of matrix products: `remat` "dots" saves what is marked, and computes the rest again."""
    return checkpoint_name(x, SAVED)


def rotated(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Rotary position embedding (Su et al. 2021) of x [B, S, H, C] at `positions` int32 [B, S]; C is even.

    Channels c and c + C / 2 are a pair, turned by `position / ROTARY_BASE ** (2 c / C)`.
    """
    half = x.shape[-1] // 2
    wavelengths = ROTARY_BASE ** (jnp.arange(half) / half)
    angles = positions[..., None, None] / wavelengths[None, None, None]
    sine, cosine = jnp.sin(angles).astype(x.dtype), jnp.cos(angles).astype(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def gelu(config: ModelConfig, x: jax.Array) -> jax.Array:
    """GELU (Hendrycks and Gimpel 2016): "gelu" by the error function, "gelu_tanh" by their approximation of it."""
    return nn.gelu(x, approximate=config.activation == "gelu_tanh")


def gather(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Reads `x` [B, S, D] at `positions` int32 [B, K], row by row, giving [B, K, D].

    Each row reads only itself: under a sharded batch nothing moves between devices, as it would in a flattened batch.
    """
    return jnp.take_along_axis(x, positions[..., None], axis=1)
