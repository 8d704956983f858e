"""Rematerialisation: what the forward pass saves, and what the backward pass recomputes."""

from typing import TypeVar

import flax.linen as nn
import jax
from jax.ad_checkpoint import checkpoint_name

M = TypeVar("M", bound=nn.Module)

SAVED = "product"  # checkpoint name of the arrays that `remat` "dots" saves


def saved(x: jax.Array) -> jax.Array:
    """Marks `x`, the result of matrix products, to be saved by `remat` "dots", which recomputes the rest."""
    return checkpoint_name(x, SAVED)


def rematerialised(layer: type[M], remat: str) -> type[M]:
    """Wraps a layer so that it saves everything ("none"), marked arrays ("dots") or only its input ("full")."""
    if remat == "none":
        return layer
    policy = jax.checkpoint_policies.save_only_these_names(SAVED) if remat == "dots" else None
    # Inside a scan, XLA cannot merge the recomputation with the original, so CSE need not be prevented.
    return nn.remat(layer, prevent_cse=False, policy=policy)
