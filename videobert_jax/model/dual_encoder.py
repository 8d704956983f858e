"""The trunk as an encoder of texts and of videos apart, into one space (Luo et al. 2021, "mean pooling")."""

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.model.trunk import Trunk

FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0  # of similarities; Radford et al. 2021


class Outputs(NamedTuple):
    """The outputs of a dual encoder."""

    hidden: jax.Array  # [B, S, D] in the model's dtype
    vectors: jax.Array  # float32 [B, N, D], of each sequence, of unit length; of one that does not exist, any
    scale: jax.Array  # float32 scalar, the factor of similarities in a softmax


class Temperature(nn.Module):
    """The learnt factor of similarities."""

    @nn.compact
    def __call__(self) -> jax.Array:
        """Float32 scalar, at most `LARGEST_SCALE`."""
        logarithm = self.param("scale", nn.initializers.constant(math.log(FIRST_SCALE)), (1,))
        return jnp.minimum(jnp.exp(logarithm[0]), LARGEST_SCALE)


class DualEncoder(Trunk):
    """A unit vector of each sequence: the mean of its last hidden states, projected."""

    reads: ClassVar[tuple[str, ...]] = (*Trunk.reads, "cls_positions")

    @nn.nowrap
    def add_heads(self, network: Trunk, prefix: str) -> None:
        """Adds the projection and the temperature."""
        initial = nn.initializers.normal(self.config.init_std)
        setattr(network, f"{prefix}projection", nn.Dense(self.config.hidden_size, use_bias=False, kernel_init=initial))
        setattr(network, f"{prefix}temperature", Temperature())

    @nn.nowrap
    def read(
        self, network: Trunk, prefix: str, hidden: jax.Array, batch: Mapping[str, jax.Array], deterministic: bool
    ) -> Outputs:
        """Reads the array `sequence_ids`, and of `cls_positions` only its shape [B, N]."""
        project, temperature = (getattr(network, f"{prefix}{name}") for name in ("projection", "temperature"))
        vectors = project(mean_of_sequences(hidden, batch["sequence_ids"], batch["cls_positions"].shape[1]))
        length = jnp.sqrt(jnp.sum(jnp.square(vectors), axis=-1, keepdims=True) + 1e-12)
        return Outputs(hidden, vectors / length, temperature())


def mean_of_sequences(hidden: jax.Array, sequence_ids: jax.Array, count: int) -> jax.Array:
    """Means float32 [B, N, D] of hidden states [B, S, D] over each of `count` sequences; 0 for one without positions.

    `sequence_ids` int32 [B, S] are 1 to N, 0 for padding.
    """
    members = (sequence_ids[:, None, :] == jnp.arange(1, count + 1)[None, :, None]).astype(jnp.float32)
    sums = jnp.einsum("bns,bsd->bnd", members, hidden.astype(jnp.float32))
    return sums / jnp.maximum(members.sum(axis=-1), 1.0)[..., None]
