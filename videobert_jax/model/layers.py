"""Building blocks of the transformer, with BERT's settings (Devlin et al. 2019, appendix A.2)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from videobert_jax.config import ModelConfig
from videobert_jax.model.kernels.affine import affine
from videobert_jax.model.kernels.partition import COLUMN_WISE, ROW_WISE, UNSPLIT, split_by_positions, tensor_devices
from videobert_jax.model.remat import saved

NORM_EPSILON = 1e-12
ROTARY_BASE = 10_000.0


class Dense(nn.Module):
    """Affine map of the last axis, D -> `features`, with float32 parameters, computed in `config.dtype`."""

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
    """Several affine maps of one input, D -> `features` each, with kernels stacked to [parts, D, features].

    Split over a `tensor` mesh axis by its last dimension, the kernel gives each device whole heads of each part.

    Attributes:
      scales: a factor for the output of each part; applied to kernel and bias, which are smaller.
    """

    config: ModelConfig
    features: int
    scales: tuple[float, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> list[jax.Array]:
        """Maps x [..., D] to one array [..., features] in `config.dtype` per scale."""
        config, parts = self.config, len(self.scales)
        kernel = self.param("kernel", nn.initializers.normal(config.init_std), (parts, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (parts, self.features)) if config.use_bias else None
        if tensor_devices() > 1:  # a single product, so that devices sum a single gradient of x, not one per part
            scales = jnp.array(self.scales)[:, None]
            bias = None if bias is None else scales * bias
            product = affine(x, scales[..., None] * kernel, bias, 1, config.dtype, P(None, *COLUMN_WISE))
            return [product[..., part, :] for part in range(parts)]
        # Slicing a single product would copy the parts; where it is faster, XLA merges products of one input.
        return [
            affine(x, scale * kernel[part], None if bias is None else scale * bias[part], 0, config.dtype, COLUMN_WISE)
            for part, scale in enumerate(self.scales)
        ]


def row_parallel(config: ModelConfig, x: jax.Array, name: str) -> jax.Array:
    """Adds the `Dense` that ends each half of a layer: x [B, S, F] to [B, S, hidden_size], split by positions."""
    return saved(split_by_positions(Dense(config, config.hidden_size, ROW_WISE, name=name)(x)))


def embed(config: ModelConfig, rows: int, name: str | None = None) -> nn.Embed:
    """An embedding table [rows, hidden_size], read in `config.dtype`; an id outside the table reads as NaN."""
    return nn.Embed(
        rows, config.hidden_size, dtype=config.dtype, embedding_init=nn.initializers.normal(config.init_std), name=name
    )


def norm(config: ModelConfig, name: str | None = None) -> nn.LayerNorm:
    """Layer normalisation in float32, with output in `config.dtype`."""
    return nn.LayerNorm(epsilon=NORM_EPSILON, dtype=config.dtype, use_bias=config.use_bias, name=name)


class Dropout(nn.Module):
    """Dropout with one random byte per value, so that `rate` is rounded to a multiple of 1/256.

    `nn.Dropout` uses four bytes, which took a fifth of a small model's step on a CPU.
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool) -> jax.Array:
        """Zeroes random values of x [..., D], D a multiple of 4, and scales the others to preserve the mean."""
        kept = round((1 - self.rate) * 256)  # of 256
        if deterministic or kept == 256:
            return x
        words = jax.random.bits(self.make_rng("dropout"), (*x.shape[:-1], x.shape[-1] // 4), jnp.uint32)
        octets = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(x.shape)
        return jnp.where(octets < kept, x * (256 / max(kept, 1)), jnp.zeros_like(x))


def rotated(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Rotary position embedding (Su et al. 2021) of x [B, S, H, C] at `positions` int32 [B, S]; C is even.

    Channels c and c + C / 2 are a pair, rotated by `position / ROTARY_BASE ** (2 c / C)`.
    """
    half = x.shape[-1] // 2
    wavelengths = ROTARY_BASE ** (jnp.arange(half) / half)
    angles = positions[..., None, None] / wavelengths[None, None, None]
    sine, cosine = jnp.sin(angles).astype(x.dtype), jnp.cos(angles).astype(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def gelu(config: ModelConfig, x: jax.Array) -> jax.Array:
    """GELU (Hendrycks and Gimpel 2016): exact for "gelu", with the tanh approximation for "gelu_tanh"."""
    return nn.gelu(x, approximate=config.activation == "gelu_tanh")


def gather(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Returns `x[b, positions[b, k]]`, [B, K, D], for x [B, S, D] and `positions` int32 [B, K].

    Each row reads only itself, so that devices exchange nothing, as they would in a flattened batch.
    """
    return jnp.take_along_axis(x, positions[..., None], axis=1)
