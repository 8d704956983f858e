"""VideoBERT's pretraining: masked words, masked visual words, and whether text and video belong together."""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.objectives import alignment, masked_prediction
from videobert_jax.objectives.objective import Arrays, Metrics

Params = Any


class Outputs(NamedTuple):
    """What a model says about a batch.

    Attributes:
      predictions: logits float32 [B, K, padded_size] at the prediction positions.
      alignment: logits float32 [B, N] of each sequence.
    """

    predictions: jax.Array
    alignment: jax.Array


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """The objective: all of masked prediction and alignment.

    Attributes:
      text_size: first visual id of the joint id space.
    """

    text_size: int

    def __call__(self, outputs: Outputs, batch: Arrays) -> Metrics:
        """Sums and counts of `text`, `video`, `alignment`, and of either modality in each mode of sequence."""
        return {
            **masked_prediction.metrics(outputs.predictions, batch, self.text_size),
            **alignment.metrics(outputs.alignment, batch),
        }

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """The count of each selection, which is known before the outputs are."""
        chosen = {**masked_prediction.selections(batch, self.text_size), **alignment.selections(batch)}
        return {name: jnp.sum(weights) for name, weights in chosen.items()}


def init(model: nn.Module, key: jax.Array, batch: Arrays) -> Params:
    """Parameters of `model`, a `VideoBert`, heads included; of `batch` only shapes and dtypes matter."""
    return model.init(key, batch, True, method=_read)["params"]


def forward(model: nn.Module, params: Params, batch: Arrays, dropout_key: jax.Array | None = None) -> Outputs:
    """What `model`, a `VideoBert`, says about a batch; with dropout if it is given a key."""
    rngs = None if dropout_key is None else {"dropout": dropout_key}
    return _read(model.bind({"params": params}, rngs=rngs), batch, dropout_key is None)


def _read(model: Any, batch: Arrays, deterministic: bool) -> Outputs:
    sequence = (batch[name] for name in ("token_ids", "positions", "segment_types", "sequence_ids"))
    hidden = model(*sequence, deterministic=deterministic)
    return Outputs(
        model.predict(hidden, batch["prediction_positions"]),
        model.align(hidden, batch["cls_positions"]),
    )
