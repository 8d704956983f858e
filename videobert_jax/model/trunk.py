"""What all networks over the joint sequence share: embeddings, encoder and pooler (VideoBERT, section 3.2)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model import flops
from videobert_jax.model.embeddings import Embeddings
from videobert_jax.model.encoder import Encoder
from videobert_jax.model.layers import Dense, gather
from videobert_jax.tokens import TokenSpace


class Trunk(nn.Module):
    """One bidirectional transformer over words and visual words, without heads: networks inherit it and add theirs.

    A network is called with (batch, deterministic) and returns a NamedTuple of arrays, one of them `hidden`.

    B rows, S positions, N sequences, D = config.hidden_size. Rows may pack several sequences; each sees only itself.
    Parameters are float32, activations `config.dtype`.

    Attributes:
      reads: the arrays of a batch that the network reads; `data.batch.SCHEMA` says what they hold.
    """

    reads: ClassVar[tuple[str, ...]] = ("token_ids", "positions", "segment_types", "sequence_ids")
    config: ModelConfig
    tokens: TokenSpace

    def setup(self) -> None:
        """Names the parts, which are the top of the parameter tree."""
        self.embeddings = Embeddings(self.config, self.tokens)
        self.encoder = Encoder(self.config)
        self.pooler = Dense(self.config, self.config.hidden_size)

    # Not wrapped by Linen: parts are then named in a compiled program by their paths alone.
    @nn.nowrap
    def hidden(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> jax.Array:
        """Hidden states [B, S, D] of a batch of packed sequences.

        Args:
          batch: int32 arrays [B, S]: `token_ids` in the joint id space; `positions`, from 0 in each sequence, below
            `config.max_positions`; `segment_types`, 0 text and 1 video; `sequence_ids`, 1 and up, where 0 is padding,
            whose hidden states mean nothing.
          deterministic: no dropout; otherwise the random stream "dropout" is needed.
        """
        positions, sequence_ids = batch["positions"], batch["sequence_ids"]
        x = self.embeddings(batch["token_ids"], positions, batch["segment_types"], deterministic)
        return self.encoder(x, positions, sequence_ids, deterministic)

    @nn.nowrap
    def pooled(self, hidden: jax.Array, cls_positions: jax.Array) -> jax.Array:
        """One vector [B, N, D] for each sequence, from hidden states [B, S, D] at its [CLS], int32 [B, N]."""
        return jnp.tanh(self.pooler(gather(hidden, cls_positions)))

    @nn.nowrap
    def flops(self, batch: Mapping[str, Any]) -> float:
        """Model FLOPs of one forward and backward pass for a batch of such shapes; see `model/flops.py`."""
        return flops.encoder_flops(self.config, *batch["token_ids"].shape)
