"""The parts that every layer is made of, with BERT's settings (Devlin et al. 2019, appendix A.2)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from videobert_jax.config import ModelConfig

INITIALIZER = nn.initializers.normal(0.02)
NORM_EPSILON = 1e-12
ROWS = P(("data", "fsdp"))  # mesh axes over which a training run splits the rows of its batch


def dense(config: ModelConfig, features: int, name: str | None = None) -> nn.Dense:
    """Affine map of the last axis: float32 parameters, computed in `config.dtype`."""
    return nn.Dense(features, dtype=config.dtype, kernel_init=INITIALIZER, name=name)


def embed(config: ModelConfig, rows: int, name: str | None = None) -> nn.Embed:
    """Table of `rows` vectors [rows, hidden_size], read in `config.dtype`; an id outside the table reads as NaN."""
    return nn.Embed(rows, config.hidden_size, dtype=config.dtype, embedding_init=INITIALIZER, name=name)


def norm(config: ModelConfig, name: str | None = None) -> nn.LayerNorm:
    """Layer normalisation: statistics and scaling in float32, the result in `config.dtype`."""
    return nn.LayerNorm(epsilon=NORM_EPSILON, dtype=config.dtype, name=name)


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
