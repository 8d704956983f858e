"""How words and clips meet in the trunk (`model.fusion`).

"joint", the paper's: one encoder, in which every position sees all of its sequence. The others have an encoder for the
words and one for the clips, of `num_layers` each, which see only their own modality, and then join the two:

"late": each position, with the mean of the other modality's, through an MLP.
"cross": one layer of attention from each modality to the other (as in LXMERT, Tan and Bansal 2019).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model.attention import CrossAttention, Mask
from videobert_jax.model.encoder import FeedForward
from videobert_jax.model.layers import Dropout, norm


def modalities(segment_types: jax.Array, sequence_ids: jax.Array) -> tuple[jax.Array, Mask]:
    """What a position sees of its sequence if the modalities are apart, for int32 arrays [B, S].

    Returns:
      ids int32 [B, S], which tell apart the words and the clips of each sequence, 0 for padding; and a mask by which
      each position sees the other modality of its sequence, and padding nothing.
    """
    own = jnp.where(sequence_ids > 0, 2 * sequence_ids + segment_types, 0)
    other = jnp.where(sequence_ids > 0, 2 * sequence_ids + 1 - segment_types, -1)
    return own, Mask(other, own)


class LateJoin(nn.Module):
    """An MLP over each position and the mean of the other modality's positions."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, mask: Mask, deterministic: bool) -> jax.Array:
        """Maps x [B, S, D] to [B, S, D]; a query of `mask` sees the other modality."""
        visible = mask.visible().astype(x.dtype)
        mean = visible @ x / jnp.maximum(visible.sum(axis=2, keepdims=True), 1)
        both = jnp.concatenate([norm(self.config, "own_norm")(x), norm(self.config, "other_norm")(mean)], axis=-1)
        mixed = Dropout(self.config.dropout)(FeedForward(self.config, name="mlp")(both), deterministic)
        return norm(self.config, "norm")(x + mixed)


class CrossJoin(nn.Module):
    """A layer of attention to the other modality."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, mask: Mask, deterministic: bool) -> jax.Array:
        """Maps x [B, S, D] to [B, S, D]; a query of `mask` sees the other modality."""
        dropout = Dropout(self.config.dropout)
        mixed = CrossAttention(self.config, name="attention")(x, x, mask)
        x = norm(self.config, "attention_norm")(x + dropout(mixed, deterministic))
        return norm(self.config, "mlp_norm")(x + dropout(FeedForward(self.config, name="mlp")(x), deterministic))


JOINS: dict[str, type[LateJoin | CrossJoin]] = {"late": LateJoin, "cross": CrossJoin}
