"""The transformer encoder: one layer, scanned over stacked parameters."""

import flax.linen as nn
import jax

from videobert_jax.config import ModelConfig
from videobert_jax.model.attention import Mask, SelfAttention
from videobert_jax.model.kernels.partition import COLUMN_WISE, by_positions, held, joined_by_positions
from videobert_jax.model.layers import Dense, Dropout, SplitDense, gelu, norm, row_parallel
from videobert_jax.model.remat import rematerialised, saved


class FeedForward(nn.Module):
    """D -> mlp_size -> D with a GELU, or with a GEGLU if `gated` (Shazeer 2020)."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, S, D] to [B, S, D], both split by positions."""
        config, x = self.config, joined_by_positions(x)
        if config.gated:
            gate, x = SplitDense(config, config.mlp_size, (1.0, 1.0), name="wi_gated")(x)
            x = gelu(config, saved(gate)) * saved(x)
        else:
            x = gelu(config, saved(Dense(config, config.mlp_size, COLUMN_WISE, name="wi")(x)))
        return row_parallel(config, x, "wo")


class Layer(nn.Module):
    """Attention and feed-forward, each with dropout and a residual sum, in post-norm or pre-norm order."""

    config: ModelConfig
    deterministic: bool

    @nn.compact
    def __call__(self, x: jax.Array, positions: jax.Array, mask: Mask) -> tuple[jax.Array, None]:
        """One step of the scan, with carry x [B, S, D]; all layers share positions, int32 [B, S], and mask."""
        x = held(x, by_positions(x))
        dropout = Dropout(self.config.dropout)
        attention, mlp = SelfAttention(self.config, name="attention"), FeedForward(self.config, name="mlp")
        attention_norm, mlp_norm = norm(self.config, "attention_norm"), norm(self.config, "mlp_norm")
        if self.config.norm == "pre":
            x = x + dropout(attention(attention_norm(x), positions, mask), self.deterministic)
            return x + dropout(mlp(mlp_norm(x)), self.deterministic), None
        x = attention_norm(x + dropout(attention(x, positions, mask), self.deterministic))
        return mlp_norm(x + dropout(mlp(x), self.deterministic)), None


class Encoder(nn.Module):
    """`num_layers` layers as one scan: parameters have a leading layer axis, and compile time is constant."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, positions: jax.Array, sequence_ids: jax.Array, deterministic: bool) -> jax.Array:
        """Maps x [B, S, D] to [B, S, D]; positions and sequence ids are int32 [B, S]."""
        layers = nn.scan(
            rematerialised(Layer, self.config.remat),
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=nn.broadcast,
            length=self.config.num_layers,
            unroll=self.config.unroll,
        )
        x, _ = layers(self.config, deterministic, name="layers")(x, positions, Mask(sequence_ids))
        return joined_by_positions(norm(self.config, "norm")(x) if self.config.norm == "pre" else x)
