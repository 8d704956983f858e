"""The protocol of objectives, and the total loss.

Losses and accuracies are pairs (sum, count), not means: the pairs of the parts of a batch add up to those of the
whole, so that the loss does not depend on the number of devices or micro-batches.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

Arrays = Mapping[str, jax.Array]
Metrics = dict[str, tuple[jax.Array, jax.Array]]  # name -> (sum, count), float32 scalars


class Objective(Protocol):
    """A pure function of a model's outputs and the batch."""

    @property
    def weights(self) -> Mapping[str, float]:
        """The factor of each loss in the total, by name."""

    @property
    def whole_batch(self) -> bool:
        """Whether examples are compared with each other, so that a batch cannot be split into micro-batches."""

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """Returns sums and counts, named `loss/<selection>` and `accuracy/<selection>`."""

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """Returns the count of each selection, which does not depend on the outputs."""


def summed(kind: str, values: jax.Array, selections: Arrays) -> Metrics:
    """Returns (sum, count) of `values` over each selection, an array of weights of the same shape."""
    return {f"{kind}/{name}": (jnp.sum(values * chosen), jnp.sum(chosen)) for name, chosen in selections.items()}


def total(metrics: Metrics, weights: Mapping[str, float], counts: Arrays | None = None) -> jax.Array:
    """Returns the weighted sum of the mean losses; the mean over an empty selection is 0.

    Args:
      metrics: of a batch or, in gradient accumulation, of one micro-batch.
      weights: the factor of each `loss/<name>`.
      counts: `Objective.counts` of the whole batch, if `metrics` cover only a part. The totals of the parts, and their
        gradients, then add up to those of the whole batch.
    """
    result = jnp.zeros((), jnp.float32)
    for name, weight in weights.items():
        loss, count = metrics[f"loss/{name}"]
        result += weight * loss / jnp.maximum(count if counts is None else counts[name], 1.0)
    return result
