"""VideoBERT: a bidirectional transformer over words and visual words (Sun et al. 2019)."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.model import flops
from videobert_jax.model.heads import PredictionHead
from videobert_jax.model.layers import gather
from videobert_jax.model.trunk import Trunk


class Outputs(NamedTuple):
    """The outputs of VideoBERT."""

    hidden: jax.Array  # [B, S, D] in the model's dtype
    predictions: jax.Array  # float32 [B, K, padded_size], logits of the token at each prediction position
    alignment: jax.Array  # float32 [B, N], logits that the words and clips of each sequence match


class VideoBert(Trunk):
    """BERT with a joint vocabulary, a masked-prediction head and a text-video alignment head."""

    reads: ClassVar[tuple[str, ...]] = (*Trunk.reads, "prediction_positions", "cls_positions")

    def setup(self) -> None:
        """Adds the two heads to the trunk."""
        super().setup()
        self.prediction_head = PredictionHead(self.config, self.tokens)
        self.alignment_head = nn.Dense(1, kernel_init=nn.initializers.normal(self.config.init_std))

    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> Outputs:
        """Reads the arguments of `Trunk.hidden`, and the arrays `prediction_positions` and `cls_positions`."""
        hidden = self.hidden(batch, deterministic)
        # Gather before the vocabulary product: only about one position in seven is masked.
        predictions = self.prediction_head(gather(hidden, batch["prediction_positions"]), self.embeddings.table)
        pooled = self.pooled(hidden, batch["cls_positions"])
        return Outputs(hidden, predictions, self.alignment_head(pooled.astype(jnp.float32))[..., 0])

    @nn.nowrap
    def flops(self, batch: Mapping[str, Any]) -> float:
        """Model FLOPs of one forward and backward pass; only the batch's shapes matter. See `model/flops.py`."""
        rows, predictions = batch["prediction_positions"].shape
        return super().flops(batch) + flops.vocabulary_flops(self.config, self.tokens.padded_size, rows * predictions)
