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

    def setup(self) -> None:
        """Adds the head to the trunk."""
        super().setup()
        self.dropout = nn.Dropout(self.config.dropout)
        self.class_head = nn.Dense(self.classes, kernel_init=nn.initializers.normal(self.config.init_std))

    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> Outputs:
        """Reads the arguments of `Trunk.hidden`, and `cls_positions`."""
        hidden = self.hidden(batch, deterministic)
        pooled = self.pooled(hidden, batch["cls_positions"]).astype(jnp.float32)
        return Outputs(hidden, self.class_head(self.dropout(pooled, deterministic)))
