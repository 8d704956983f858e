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

    @nn.nowrap
    def add_heads(self, network: Trunk, prefix: str) -> None:
        """Adds the two heads."""
        initial = nn.initializers.normal(self.config.init_std)
        setattr(network, f"{prefix}prediction_head", PredictionHead(self.config, self.tokens))
        setattr(network, f"{prefix}alignment_head", nn.Dense(1, kernel_init=initial))

    @nn.nowrap
    def read(
        self, network: Trunk, prefix: str, hidden: jax.Array, batch: Mapping[str, jax.Array], deterministic: bool
    ) -> Outputs:
        """Reads the arrays `prediction_positions` and `cls_positions`."""
        # Gather before the vocabulary product: only about one position in seven is masked.
        predict, align = (getattr(network, f"{prefix}{name}_head") for name in ("prediction", "alignment"))
        predictions = predict(gather(hidden, batch["prediction_positions"]), network.embeddings.table)
        pooled = network.pooled(hidden, batch["cls_positions"])
        return Outputs(hidden, predictions, align(pooled.astype(jnp.float32))[..., 0])

    @nn.nowrap
    def flops(self, batch: Mapping[str, Any]) -> float:
        """Model FLOPs of one forward and backward pass; only the batch's shapes matter. See `model/flops.py`."""
        rows, predictions = batch["prediction_positions"].shape
        return super().flops(batch) + flops.vocabulary_flops(self.config, self.tokens.padded_size, rows * predictions)
