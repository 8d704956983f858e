"""Classification: classes that exclude each other by softmax, others each by a sigmoid of its own."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from videobert_jax.objectives.objective import Arrays, Metrics, summed


@dataclasses.dataclass(frozen=True)
class Classification:
    """Cross-entropy of `classifier.Outputs.logits` and `labels`, both [B, N, C], in nats an example.

    Attributes:
      multiple: whether an example may belong to any number of classes.
      smoothing: share of the target that is spread over all classes (Szegedy et al. 2016), if they exclude each other.
    """

    multiple: bool
    smoothing: float = 0.0

    @property
    def weights(self) -> Mapping[str, float]:
        """There is one loss."""
        return {"label": 1.0}

    @property
    def whole_batch(self) -> bool:
        """Examples are independent."""
        return False

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """`label`: the loss, and the share of examples whose classes are all right; a class of several at logit 0."""
        logits, labels, chosen = outputs.logits, batch["labels"], {"label": batch["label_weights"]}
        if self.multiple:
            loss = jnp.sum(optax.sigmoid_binary_cross_entropy(logits, labels), axis=-1)
            correct = jnp.all((logits > 0) == (labels > 0), axis=-1)
        else:
            loss = optax.softmax_cross_entropy(logits, optax.smooth_labels(labels, self.smoothing))
            correct = jnp.argmax(logits, axis=-1) == jnp.argmax(labels, axis=-1)
        return {**summed("loss", loss, chosen), **summed("accuracy", correct.astype(jnp.float32), chosen)}

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """The number of examples."""
        return {"label": jnp.sum(batch["label_weights"])}
