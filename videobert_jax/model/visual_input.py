"""What a model reads of a clip besides, or in place of, the embedding of its visual word (`model.visual_input`)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model.layers import Dense
from videobert_jax.tokens import TokenSpace

CENTROIDS = "embeddings/visual_input/centroids"  # path in the parameters of each visual word's mean feature
CODEBOOKS = "embeddings/visual_input/codebooks"  # and of what each further word adds to it
# model.visual_input -> the arrays of `data.batch.SCHEMA` that it reads
READS: Mapping[str, tuple[str, ...]] = {
    "words": (),
    "codes": ("clip_seen", "clip_codes"),
    "features": ("clip_seen", "clip_features"),
    "both": ("clip_seen", "clip_features"),
}
# model.visual_input -> the parameters that hold what the vocabulary knows of its words; never trained
TABLES: Mapping[str, tuple[str, ...]] = {
    "words": (),
    "codes": (CENTROIDS, CODEBOOKS),
    "features": (CENTROIDS,),
    "both": (CENTROIDS,),
}


class VisualInput(nn.Module):
    """Projects the features of the clips in a sequence, or what their words tell of these.

    Words tell a feature by their vectors in `visual_words.details`: the sum of the visual word's centroid and its
    further words' vectors. Of a visual word without a feature or further words (one that the model wrote, or a random
    one), the centroid is read. A masked clip gives zeros.
    """

    config: ModelConfig
    tokens: TokenSpace

    @nn.compact
    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool) -> jax.Array:
        """Returns [B, S, D] in `config.dtype`, to be added to the embeddings; zeros where there is no clip.

        Unless `deterministic`, features are read with noise of the standard deviation `config.feature_noise`.

        Args:
          batch: `token_ids`, and the arrays of `READS`; without the latter, no clip has a feature.
        """
        visual_ids = batch["token_ids"] - self.tokens.text_size
        centroids = self._fixed("centroids", self.tokens.visual_size)
        features = jnp.take(centroids, jnp.maximum(visual_ids, 0), axis=0)
        if self.config.visual_input == "codes":
            codebooks = self._fixed("codebooks", self.tokens.codebooks * self.tokens.codebook_size)
            if "clip_seen" in batch:
                rows = batch["clip_codes"] + self.tokens.codebook_size * jnp.arange(self.tokens.codebooks)[None, None]
                features += jnp.take(codebooks, rows, axis=0).sum(axis=2) * (batch["clip_seen"][..., None] > 0)
        elif "clip_seen" in batch:
            seen = batch["clip_seen"][..., None] > 0
            features = jnp.where(seen, batch["clip_features"].astype(self.config.dtype), features)
        if self.config.feature_noise and not deterministic:
            noise = jax.random.normal(self.make_rng("dropout"), features.shape, features.dtype)
            features += self.config.feature_noise * noise
        return Dense(self.config, self.config.hidden_size, name="feature")(features) * (visual_ids >= 0)[..., None]

    def _fixed(self, name: str, rows: int) -> jax.Array:
        table = self.param(name, nn.initializers.zeros, (rows, self.tokens.feature_size))
        return jax.lax.stop_gradient(table).astype(self.config.dtype)
