"""The masked-prediction head over the joint vocabulary."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model.kernels.affine import affine
from videobert_jax.model.kernels.partition import ROW_WISE
from videobert_jax.model.layers import Dense, gelu, norm
from videobert_jax.tokens import TokenSpace

MASKED_LOGIT = -1e9  # for ids that do not exist: their probability is exactly 0, and arithmetic gives no NaN


class PredictionHead(nn.Module):
    """BERT's transform, then logits with the tied embedding table."""

    config: ModelConfig
    tokens: TokenSpace

    @nn.compact
    def __call__(self, x: jax.Array, table: jax.Array) -> jax.Array:
        """Maps x [B, K, D] to float32 logits [B, K, padded_size]; masks the padding of `table` [padded_size, D]."""
        x = norm(self.config, "norm")(gelu(self.config, Dense(self.config, self.config.hidden_size, name="dense")(x)))
        bias = self.param("bias", nn.initializers.zeros, (self.tokens.padded_size,))
        exists = jnp.arange(self.tokens.padded_size) < self.tokens.size
        return affine(x, table, jnp.where(exists, bias, MASKED_LOGIT), 1, jnp.float32, ROW_WISE)
