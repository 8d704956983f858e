"""Token, position and segment embeddings of the joint sequence (VideoBERT, section 3.2)."""

from collections.abc import Mapping

import flax.linen as nn
import jax

from videobert_jax.config import ModelConfig
from videobert_jax.model.kernels.lookup import lookup
from videobert_jax.model.kernels.partition import split_by_positions
from videobert_jax.model.layers import Dropout, embed, norm
from videobert_jax.model.visual_input import VisualInput
from videobert_jax.tokens import TokenSpace

SEGMENT_TYPES = 2  # text, video
TOKEN_TABLE = "embeddings/token_embedding/embedding"  # path of the joint vocabulary in the parameters


class Embeddings(nn.Module):
    """Sums token, position and segment embeddings; words and visual words share one table, and so one softmax."""

    config: ModelConfig
    tokens: TokenSpace

    def setup(self) -> None:
        """Creates the tables, the normalisation and the dropout."""
        self.token_embedding = embed(self.config, self.tokens.padded_size)
        if self.config.positions == "learned":
            self.position_embedding = embed(self.config, self.config.max_positions)
        self.segment_embedding = embed(self.config, SEGMENT_TYPES)
        if self.config.visual_input != "words":
            self.visual_input = VisualInput(self.config, self.tokens)
        self.norm = norm(self.config)
        self.dropout = Dropout(self.config.dropout)

    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool) -> jax.Array:
        """Maps the arrays of `Trunk.hidden`, int32 [B, S], to [B, S, D] in `config.dtype`."""
        x = split_by_positions(lookup(self.table, batch["token_ids"], self.config.dtype))
        if self.config.visual_input == "features":
            x *= (batch["token_ids"] < self.tokens.text_size)[..., None]
        if self.config.visual_input != "words":
            x += split_by_positions(self.visual_input(batch, deterministic))
        x += self.segment_embedding(batch["segment_types"])
        if self.config.positions == "learned":
            x += self.position_embedding(batch["positions"])
        return self.dropout(self.norm(x), deterministic)

    @property
    def table(self) -> jax.Array:
        """The token embeddings, float32 [padded_size, D], which the prediction head is tied to."""
        return self.token_embedding.embedding
