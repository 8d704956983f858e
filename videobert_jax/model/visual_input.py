"""What a model reads of a clip besides, or in place of, the embedding of its visual word (`model.visual_input`)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model.layers import Dense, embed
from videobert_jax.tokens import TokenSpace

CENTROIDS = "embeddings/visual_input/centroids"  # path in the parameters of what stands in for a missing feature
# model.visual_input -> the arrays of `data.batch.SCHEMA` that it reads
READS: Mapping[str, tuple[str, ...]] = {
    "words": (),
    "codes": ("clip_seen", "clip_codes"),
    "features": ("clip_seen", "clip_features"),
    "both": ("clip_seen", "clip_features"),
}


class VisualInput(nn.Module):
    """Embeds the features, or the further words, of the clips in a sequence.

    Where a position holds a visual word without a feature (one that the model wrote, or a random one), the word's
    centroid takes the feature's place; further words have no such stand-in. A masked clip gives zeros.
    """

    config: ModelConfig
    tokens: TokenSpace

    @nn.compact
    def __call__(self, batch: Mapping[str, jax.Array]) -> jax.Array:
        """Returns [B, S, D] in `config.dtype`, to be added to the embeddings; zeros where there is no clip.

        Args:
          batch: `token_ids`, and the arrays of `READS`; without the latter, no clip has a feature.
        """
        visual_ids = batch["token_ids"] - self.tokens.text_size
        is_clip = (visual_ids >= 0)[..., None]
        if self.config.visual_input == "codes":
            return self._codes(batch) * is_clip
        shape = (self.tokens.visual_size, self.tokens.feature_size)
        centroids = jax.lax.stop_gradient(self.param("centroids", nn.initializers.zeros, shape))
        features = jnp.take(centroids, jnp.maximum(visual_ids, 0), axis=0).astype(self.config.dtype)
        if "clip_seen" in batch:
            seen = batch["clip_seen"][..., None] > 0
            features = jnp.where(seen, batch["clip_features"].astype(self.config.dtype), features)
        return Dense(self.config, self.config.hidden_size, name="feature")(features) * is_clip

    def _codes(self, batch: Mapping[str, jax.Array]) -> jax.Array:
        size = self.tokens.codebook_size
        table = embed(self.config, self.tokens.codebooks * size, name="codes")
        if "clip_seen" not in batch:
            return jnp.zeros((*batch["token_ids"].shape, self.config.hidden_size), self.config.dtype)
        codes = batch["clip_codes"] + size * jnp.arange(self.tokens.codebooks)[None, None]
        return jnp.sum(table(codes), axis=2) * (batch["clip_seen"][..., None] > 0)
