"""Multi-head self-attention among the tokens of one packed sequence."""

import flax.linen as nn
import jax

from videobert_jax.config import ModelConfig
from videobert_jax.model.primitives import dense


def sequence_mask(sequence_ids: jax.Array) -> jax.Array:
    """Who sees whom: bool [B, 1, S, S] from int32 [B, S], true where two positions share a sequence.

    Padding, id 0, is one more sequence: it attends to itself, so no row of the softmax is ever empty.
    """
    return (sequence_ids[:, :, None] == sequence_ids[:, None, :])[:, None]


class SelfAttention(nn.Module):
    """Bidirectional self-attention with one fused projection for queries, keys and values.

    The columns of the fused kernel [D, 3 D] run (head, q/k/v, channel), head outermost. A kernel cut in equal
    blocks of columns over a `tensor` mesh axis so gives each device the queries, keys and values of whole heads, and
    attention needs no communication; with q/k/v outermost the blocks would straddle them.

    There is no dropout on the attention probabilities: fused kernels do not offer it, and the output has its own.
    """

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        """Maps x [B, S, D] to [B, S, D], attending where `mask` bool [B, 1, S, S] is true; softmax in float32."""
        rows, length, size = x.shape
        heads = self.config.num_heads
        qkv = dense(self.config, 3 * size, "qkv")(x).reshape(rows, length, heads, 3, size // heads)
        query, key, value = qkv[..., 0, :], qkv[..., 1, :], qkv[..., 2, :]
        mixed = jax.nn.dot_product_attention(query, key, value, mask=mask)
        return dense(self.config, size, "out")(mixed.reshape(rows, length, size))
