"""The forward pass as one file, which any program with JAX can run without this package: StableHLO by `jax.export`."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import traverse_util

from videobert_jax.data.batch import SCHEMA
from videobert_jax.model.trunk import Trunk

PROGRAM, WEIGHTS = "inference.jaxexport", "weights.safetensors"
PLATFORMS = ("cpu", "cuda", "tpu")
AXES = {"S": "length", "N": "sequences", "K": "places"}  # of `SCHEMA`, as the program names them


def answer(model: Trunk, params: Any, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """What a model makes of a batch: its outputs by name, in float32.

    Args:
      model: any.
      params: of the model.
      batch: the arrays that the model reads.
    """
    outputs: Any = model.apply({"params": params}, batch)
    return {name: output.astype(jnp.float32) for name, output in outputs._asdict().items()}


def export(model: Trunk, params: Any) -> jax.export.Exported:
    """`answer` as a function of (weights by path, batch), for any number of rows and any size of `AXES`.

    It is lowered for all of `PLATFORMS`, whatever machine this is. The weights are an argument: the program is small
    and fits every checkpoint of the run, and those of a large model are more than a program can hold.
    """
    model = model.clone(config=dataclasses.replace(model.config, attention="xla"))  # the one for all platforms
    flat = traverse_util.flatten_dict(params, sep="/")
    weights = {path: jax.ShapeDtypeStruct(x.shape, x.dtype) for path, x in flat.items()}
    sizes = {**AXES, "P": str(model.tokens.feature_size), "C": str(model.tokens.codebooks)}
    scope = jax.export.SymbolicScope([f"length <= {model.config.max_positions}"])
    batch = {
        name: jax.ShapeDtypeStruct(
            jax.export.symbolic_shape(", ".join(["rows", *(sizes[axis] for axis in axes)]), scope=scope), dtype
        )
        for name, (axes, dtype) in SCHEMA.items()
        if name in model.arrays
    }

    def inference(weights: dict[str, jax.Array], batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return answer(model, traverse_util.unflatten_dict(weights, sep="/"), batch)

    return jax.export.export(jax.jit(inference), platforms=PLATFORMS)(weights, batch)


def save(folder: pathlib.Path, model: Trunk, params: Any) -> None:
    """Writes the program and, beside it, its weights; docs/export.md tells how to read them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROGRAM).write_bytes(export(model, params).serialize())
    flat = traverse_util.flatten_dict(params, sep="/")
    arrays = {path: np.ascontiguousarray(x) for path, x in flat.items()}
    (folder / WEIGHTS).write_bytes(safetensors.numpy.save(arrays, {"format": "np"}))  # readable to others, too
