"""The parts that every layer is made of, with BERT's settings (Devlin et al. 2019, appendix A.2)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from videobert_jax.config import ModelConfig

NORM_EPSILON = 1e-12
ROWS = P(("data", "fsdp"))  # mesh axes over which a training run splits the rows of its batch


def dense(config: ModelConfig, features: int, name: str | None = None) -> nn.Dense:
    """Affine map of the last axis: float32 parameters, computed in `config.dtype`."""
    return nn.Dense(features, dtype=config.dtype, kernel_init=nn.initializers.normal(config.init_std), name=name)


def embed(config: ModelConfig, rows: int, name: str | None = None) -> nn.Embed:
    """Table of `rows` vectors [rows, hidden_size], read in `config.dtype`; an id outside the table reads as NaN."""
    return nn.Embed(
        rows, config.hidden_size, dtype=config.dtype, embedding_init=nn.initializers.normal(config.init_std), name=name
    )


def norm(config: ModelConfig, name: str | None = None) -> nn.LayerNorm:
    """Layer normalisation: statistics and scaling in float32, the result in `config.dtype`."""
    return nn.LayerNorm(epsilon=NORM_EPSILON, dtype=config.dtype, name=name)


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


def gelu(x: jax.Array) -> jax.Array:
    """The exact GELU, by the error function."""
    return nn.gelu(x, approximate=False)


def gather(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Reads `x` [B, S, D] at `positions` int32 [B, K], row by row, giving [B, K, D].

    Each row reads only itself: under a sharded batch nothing moves between devices, as it would in a flattened batch.
    """
    return jnp.take_along_axis(x, positions[..., None], axis=1)


def split_by_rows(x: jax.Array) -> jax.Array:
    """Under a mesh, holds activations [B, ...] to whole rows on each device; without one, does nothing.

    Left alone, XLA's partitioner lets activations inherit the `fsdp` split of the parameters, and sums them over
    devices in every product, where it should gather the parameters.
    """
    return x if jax.sharding.get_abstract_mesh().empty else jax.lax.with_sharding_constraint(x, ROWS)
