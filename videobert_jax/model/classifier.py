"""The trunk with a classification head on each sequence's [CLS] (Devlin et al. 2019, section 4.1)."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.model.trunk import Trunk


class Outputs(NamedTuple):
    """The outputs of a classifier."""

    hidden: jax.Array  # [B, S, D] in the model's dtype
    logits: jax.Array  # float32 [B, N, classes], of each sequence


class Classifier(Trunk):
    """Classes of a sequence: of a video, of what is said, of both, or answers to a question.

    Attributes:
      classes: number of classes.
    """

    reads: ClassVar[tuple[str, ...]] = (*Trunk.reads, "cls_positions")
    classes: int = 2

    @nn.nowrap
    def add_heads(self, network: Trunk, prefix: str) -> None:
        """Adds the head."""
        initial = nn.initializers.normal(self.config.init_std)
        setattr(network, f"{prefix}class_dropout", nn.Dropout(self.config.dropout))
        setattr(network, f"{prefix}class_head", nn.Dense(self.classes, kernel_init=initial))

    @nn.nowrap
    def read(
        self, network: Trunk, prefix: str, hidden: jax.Array, batch: Mapping[str, jax.Array], deterministic: bool
    ) -> Outputs:
        """Reads the array `cls_positions`."""
        drop, head = (getattr(network, f"{prefix}class_{name}") for name in ("dropout", "head"))
        pooled = network.pooled(hidden, batch["cls_positions"]).astype(jnp.float32)
        return Outputs(hidden, head(drop(pooled, deterministic)))
