"""Cloze: what a trained model would put in the place of each [MASK] (VideoBERT, sections 3.3 and 4.2)."""

import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from videobert_jax.model.videobert import VideoBert
from videobert_jax.tokens import TokenSpace


class Fillings(NamedTuple):
    """The likeliest ids in each place, best first; of equal ones the smaller id.

    Attributes:
      ids: int32 [B, K, top].
      probabilities: float32 [B, K, top], among the ids that are allowed.
    """

    ids: jax.Array
    probabilities: jax.Array


def vocabulary(tokens: TokenSpace, modality: Literal["text", "video", "any"]) -> np.ndarray:
    """Bool [padded_size], true for the ids that may be filled in: never a special one, nor one that only pads."""
    ids = np.arange(tokens.padded_size)
    text, video = ids < tokens.text_size, (ids >= tokens.text_size) & (ids < tokens.size)
    return {"text": text, "video": video, "any": text | video}[modality] & ~np.isin(ids, tokens.specials)


@functools.partial(jax.jit, static_argnames=("model", "top"))
def fill(
    model: VideoBert, params: Any, batch: Mapping[str, jax.Array], allowed: jax.Array, *, top: int = 5
) -> Fillings:
    """Fills each place by itself, all the others still masked; compiled once per shape, whatever is allowed.

    Args:
      model: any; a static argument, compared by its configuration.
      params: of the model.
      batch: what the model reads; the places are its `prediction_positions` [B, K].
      allowed: bool [padded_size], see `vocabulary`. If it allows fewer than `top` ids, the rest have probability 0.
      top: how many to return.
    """
    outputs: Any = model.apply({"params": params}, batch)
    probabilities = jax.nn.softmax(jnp.where(allowed[None, None], outputs.predictions, -jnp.inf))
    best, ids = jax.lax.top_k(probabilities, top)
    return Fillings(ids, best)
