"""VideoBERT: one bidirectional transformer over words and visual words (Sun et al. 2019)."""

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
    """What VideoBERT says about a batch.

    Attributes:
      hidden: [B, S, D] in the model's dtype.
      predictions: logits float32 [B, K, padded_size] of the token at each prediction position.
      alignment: logits float32 [B, N] that words and clips of each sequence belong together.
    """

    hidden: jax.Array
    predictions: jax.Array
    alignment: jax.Array


class VideoBert(Trunk):
    """BERT with a joint vocabulary, a masked-prediction head and a text-video alignment head; logits are float32."""

    reads: ClassVar[tuple[str, ...]] = (*Trunk.reads, "prediction_positions", "cls_positions")

    def setup(self) -> None:
        """Adds the two heads to the parts of the trunk."""
        super().setup()
        self.prediction_head = PredictionHead(self.config, self.tokens)
        self.alignment_head = nn.Dense(1, kernel_init=nn.initializers.normal(self.config.init_std))

    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> Outputs:
        """Reads a batch.

        Args:
          batch: the arrays that `Trunk.hidden` reads, and int32 `prediction_positions` [B, K] and `cls_positions`
            [B, N]. Others are ignored.
          deterministic: no dropout; otherwise the random stream "dropout" is needed.
        """
        hidden = self.hidden(batch, deterministic)
        # Positions are gathered before the vocabulary product: only about one in seven is masked.
        predictions = self.prediction_head(gather(hidden, batch["prediction_positions"]), self.embeddings.table)
        pooled = self.pooled(hidden, batch["cls_positions"])
        return Outputs(hidden, predictions, self.alignment_head(pooled.astype(jnp.float32))[..., 0])

    @nn.nowrap
    def flops(self, batch: Mapping[str, Any]) -> float:
        """Model FLOPs of one forward and backward pass for a batch of such shapes; see `model/flops.py`."""
        rows, predictions = batch["prediction_positions"].shape
        return super().flops(batch) + flops.vocabulary_flops(self.config, self.tokens.padded_size, rows * predictions)
