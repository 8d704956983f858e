"""What an objective is, and how its losses become the one number that is minimised.

Losses and accuracies are pairs (sum, count), not means: the pairs of the parts of a batch add up to those of the
whole, so that one device or eight, one micro-batch or many, see the same loss.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

Arrays = Mapping[str, jax.Array]
Metrics = dict[str, tuple[jax.Array, jax.Array]]  # name -> (sum, count), float32 scalars


class Objective(Protocol):
    """What is learnt, as a pure function of a model's outputs and the batch.

    Attributes:
      weights: the factor of each loss in the total.
      whole_batch: whether examples are compared with each other, so that a batch cannot be cut into micro-batches.
    """

    @property
    def weights(self) -> Mapping[str, float]:
        """Name of a loss -> its factor."""

    @property
    def whole_batch(self) -> bool:
        """Whether every example sees all others of the batch."""

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """Sums and counts, named `loss/<selection>` and `accuracy/<selection>`."""

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """The count of each selection, which is known before the outputs are."""


def summed(kind: str, values: jax.Array, selections: Arrays) -> Metrics:
    """The pair (sum, count) of `values` over each selection, which is an array of weights of the same shape."""
    return {f"{kind}/{name}": (jnp.sum(values * chosen), jnp.sum(chosen)) for name, chosen in selections.items()}


def total(metrics: Metrics, weights: Mapping[str, float], counts: Arrays | None = None) -> jax.Array:
    """The weighted sum of the mean losses, one for each of `weights`; one that nothing belongs to is 0.

    Args:
      metrics: of a batch or, in gradient accumulation, of one micro-batch.
      weights: the factor of `loss/<name>`.
      counts: of the whole batch, from `Objective.counts`, where `metrics` cover only a part. The totals of the parts,
        and their gradients, then add up to those of the whole batch.
    """
    result = jnp.zeros((), jnp.float32)
    for name, weight in weights.items():
        loss, count = metrics[f"loss/{name}"]
        result += weight * loss / jnp.maximum(count if counts is None else counts[name], 1.0)
    return result
