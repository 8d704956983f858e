"""What the backward pass finds saved, and what it computes again."""

from typing import TypeVar

import flax.linen as nn
import jax
from jax.ad_checkpoint import checkpoint_name

M = TypeVar("M", bound=nn.Module)

SAVED = "product"  # name of what `remat` "dots" saves for the backward pass


def saved(x: jax.Array) -> jax.Array:
    """Marks `x`, a result of matrix products: `remat` "dots" saves what is marked, and computes the rest again."""
    return checkpoint_name(x, SAVED)


def rematerialised(layer: type[M], remat: str) -> type[M]:
    """The layer, which saves for the backward pass all it computed ("none"), what is marked ("dots"), or its input."""
    if remat == "none":
        return layer
    policy = jax.checkpoint_policies.save_only_these_names(SAVED) if remat == "dots" else None
    # Inside a scan nothing can merge the recomputation with the first computation, so CSE need not be prevented.
    return nn.remat(layer, prevent_cse=False, policy=policy)
