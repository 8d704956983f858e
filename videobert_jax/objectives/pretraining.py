"""VideoBERT's pretraining: masked words, masked visual words and text-video alignment."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from videobert_jax.config import LossWeights
from videobert_jax.objectives import alignment, masked_prediction
from videobert_jax.objectives.objective import Arrays, Metrics


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """The sum of the masked prediction and alignment losses; `text_size` is the first visual id."""

    text_size: int
    factors: LossWeights

    @property
    def weights(self) -> Mapping[str, float]:
        """The factors of the losses `text`, `video` and `alignment`."""
        return dataclasses.asdict(self.factors)

    @property
    def whole_batch(self) -> bool:
        """Rows are independent."""
        return False

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """Returns sums and counts for `videobert.Outputs`: `text`, `video`, `alignment`, and each modality by mode."""
        return {
            **masked_prediction.metrics(outputs.predictions, batch, self.text_size),
            **alignment.metrics(outputs.alignment, batch),
        }

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """Returns the count of each selection."""
        chosen = {**masked_prediction.selections(batch, self.text_size), **alignment.selections(batch)}
        return {name: jnp.sum(weights) for name, weights in chosen.items()}
