"""The norm of every module of the model, layer by layer, to find where non-finite values arise."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def vector(tree: Any) -> jax.Array:
    """float32 [M]: the L2 norm of each module of a tree of parameters or gradients, in the order of `named`."""
    squares = (sum(_squares(leaf, layers) for leaf in leaves) for _, layers, leaves in _modules(tree))
    return jnp.sqrt(jnp.concatenate(list(squares)))


def named(tree: Any, norms: np.ndarray) -> dict[str, float | list[float]]:
    """The entries of `vector(tree)` by module path; for scanned layers, a list with one norm per layer."""
    result: dict[str, float | list[float]] = {}
    start = 0
    for path, layers, _ in _modules(tree):
        values = norms[start : start + max(layers, 1)].tolist()
        result[path] = values if layers else values[0]
        start += len(values)
    return result


def _modules(tree: Any) -> list[tuple[str, int, list[Any]]]:
    """(path, number of stacked layers or 0, leaves) of each module that owns parameters."""
    modules: dict[str, list[Any]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        modules.setdefault(jax.tree_util.keystr(path[:-1], simple=True, separator="/"), []).append(leaf)
    return [(path, leaves[0].shape[0] if "/layers/" in f"/{path}" else 0, leaves) for path, leaves in modules.items()]


def _squares(leaf: jax.Array, layers: int) -> jax.Array:
    """Sums of squares [L], or [1] for a module that is not stacked."""
    stacked = leaf if layers else leaf[None]
    return jnp.sum(jnp.square(stacked), axis=range(1, stacked.ndim))
