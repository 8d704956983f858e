"""The post-norm transformer encoder of BERT, its layers scanned over stacked parameters."""

import flax.linen as nn
import jax

from videobert_jax.config import ModelConfig
from videobert_jax.model.attention import SelfAttention
from videobert_jax.model.primitives import Dropout, dense, gelu, norm, split_by_rows


class FeedForward(nn.Module):
    """Two affine maps around a GELU: D -> mlp_size -> D."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, S, D] to [B, S, D]."""
        x = gelu(dense(self.config, self.config.mlp_size, "wi")(x))
        return dense(self.config, self.config.hidden_size, "wo")(x)


class Layer(nn.Module):
    """Attention and feed-forward, each with dropout, a residual sum, then normalisation."""

    config: ModelConfig
    deterministic: bool

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> tuple[jax.Array, None]:
        """One step of the scan: the carry x [B, S, D] in and out; `mask` is the same for every layer."""
        x = split_by_rows(x)
        dropout = Dropout(self.config.dropout)
        attended = SelfAttention(self.config, name="attention")(x, mask)
        x = norm(self.config, "attention_norm")(x + dropout(attended, self.deterministic))
        transformed = FeedForward(self.config, name="mlp")(x)
        return norm(self.config, "mlp_norm")(x + dropout(transformed, self.deterministic)), None


class Encoder(nn.Module):
    """`num_layers` layers as one scanned layer: parameters carry a leading layer axis, and compile time is constant."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array, deterministic: bool) -> jax.Array:
        """Maps x [B, S, D] to [B, S, D], attending where `mask` bool [B, 1, S, S] is true."""
        # Inside a scan nothing can merge the recomputation with the first computation, so CSE need not be prevented.
        layer = nn.remat(Layer, prevent_cse=False) if self.config.remat == "full" else Layer
        layers = nn.scan(
            layer,
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=nn.broadcast,
            length=self.config.num_layers,
            unroll=self.config.unroll,
        )
        return layers(self.config, deterministic, name="layers")(x, mask)[0]
