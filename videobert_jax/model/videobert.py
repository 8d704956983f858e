"""VideoBERT: one bidirectional transformer over words and visual words (Sun et al. 2019)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model.embeddings import Embeddings
from videobert_jax.model.encoder import Encoder
from videobert_jax.model.heads import PredictionHead
from videobert_jax.model.layers import Dense, gather
from videobert_jax.tokens import TokenSpace


class VideoBert(nn.Module):
    """BERT with a joint vocabulary, a masked-prediction head and a text-video alignment head.

    B rows, S positions, D = config.hidden_size. Rows may pack several sequences; each sees only itself. Parameters
    are float32, activations `config.dtype`, logits float32.
    """

    config: ModelConfig
    tokens: TokenSpace

    def setup(self) -> None:
        """Names the parts, which are the top of the parameter tree."""
        self.embeddings = Embeddings(self.config, self.tokens)
        self.encoder = Encoder(self.config)
        self.prediction_head = PredictionHead(self.config, self.tokens)
        self.pooler = Dense(self.config, self.config.hidden_size)
        self.alignment_head = nn.Dense(1, kernel_init=nn.initializers.normal(self.config.init_std))

    def __call__(
        self,
        token_ids: jax.Array,
        positions: jax.Array,
        segment_types: jax.Array,
        sequence_ids: jax.Array,
        *,
        deterministic: bool = True,
    ) -> jax.Array:
        """Hidden states [B, S, D] of a batch of packed sequences.

        Args:
          token_ids: int32 [B, S] in the joint id space.
          positions: int32 [B, S], from 0 in each sequence, below `config.max_positions`.
          segment_types: int32 [B, S], 0 text and 1 video.
          sequence_ids: int32 [B, S], 1 and up; 0 is padding, whose hidden states mean nothing.
          deterministic: no dropout; otherwise the random stream "dropout" is needed.
        """
        x = self.embeddings(token_ids, positions, segment_types, deterministic)
        return self.encoder(x, positions, sequence_ids, deterministic)

    def predict(self, hidden: jax.Array, prediction_positions: jax.Array) -> jax.Array:
        """Logits float32 [B, K, padded_size] of the token at each of `prediction_positions` int32 [B, K].

        Positions are gathered before the vocabulary product: only about one in seven is masked.
        """
        return self.prediction_head(gather(hidden, prediction_positions), self.embeddings.table)

    def align(self, hidden: jax.Array, cls_positions: jax.Array) -> jax.Array:
        """Logits float32 [B, N] that words and clips of the sequences with [CLS] at int32 [B, N] belong together."""
        pooled = jnp.tanh(self.pooler(gather(hidden, cls_positions)))
        return self.alignment_head(pooled.astype(jnp.float32))[..., 0]
