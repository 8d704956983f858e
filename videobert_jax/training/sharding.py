"""The device mesh, and the table from parameter paths to mesh axes.

The mesh has three axes. `data` replicates the model and splits the batch. `fsdp` splits the batch and the parameters,
which are gathered layer by layer when needed. `tensor` splits the computation inside a layer, and the positions between
its matrix products. XLA's partitioner does the rest: except for sums of gradients, the code is that for one device.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from videobert_jax.config import MeshConfig
from videobert_jax.errors import ConfigError
from videobert_jax.model.kernels.partition import COLUMN_WISE, ROW_WISE, ROWS, UNSPLIT

AXES = ("data", "fsdp", "tensor")
BATCH = ROWS

# Pattern of a parameter path -> its axes, for one layer: the leading axis of scanned layers is never split. The first
# match wins. The optimizer's moments have the paths of their parameters, so the same rules apply.
RULES = (
    (r"/v(_row|_col)?/", P()),  # Adafactor: sums over rows and columns, and parameters too small to factor
    (r"prediction_head/bias$", P("tensor")),
    (r"(qkv|query|key_value|wi_gated)/kernel$", P(None, *COLUMN_WISE)),
    (r"(qkv|query|key_value|wi_gated)/bias$", P(None, "tensor")),
    (r"wi/kernel$", COLUMN_WISE),
    (r"wi/bias$", P("tensor")),
    (r"(token_embedding/embedding|out/kernel|wo/kernel)$", ROW_WISE),
    (r"(prediction_head/dense|pooler)/kernel$", UNSPLIT),
    (r"", P()),
)


def make_mesh(config: MeshConfig, devices: list[jax.Device] | None = None) -> Mesh:
    """The mesh over `devices`, by default all. Raises ConfigError unless the product of the sizes is their number."""
    devices = jax.devices() if devices is None else devices
    sizes = [config.data, config.fsdp, config.tensor]
    asked = ", ".join(f"{axis}={size}" for axis, size in zip(AXES, sizes, strict=True))
    if -1 in sizes:
        sizes[sizes.index(-1)] = len(devices) // -int(np.prod(sizes))
    if np.prod(sizes) != len(devices):
        raise ConfigError(
            f"mesh {asked} does not fill the {len(devices)} {devices[0].platform} devices; "
            "choose sizes whose product is their number, for example --config.mesh.data=-1"
        )
    try:
        # Linen's layers need Auto axes; make_mesh defaults to Explicit.
        return jax.make_mesh(tuple(sizes), AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=devices)
    except NotImplementedError as error:  # only for TPU slices
        raise ConfigError(
            f"mesh {asked} cannot be laid on the torus of the slice ({error}); choose sizes that are products of its "
            "sides, such as 16 or 256 on 16x16"
        ) from error


def placed(tree: Any, mesh: Mesh) -> Any:
    """The shapes, dtypes and shardings of a tree of arrays."""

    def place(path: tuple[Any, ...], leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=_sharding(path, leaf, mesh))

    return jax.tree_util.tree_map_with_path(place, tree)


def _sharding(path: tuple[Any, ...], leaf: Any, mesh: Mesh) -> NamedSharding:
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    spec = next(spec for pattern, spec in RULES if re.search(pattern, name))
    if spec and "/layers/" in f"/{name}":
        spec = P(None, *spec)
    if len(spec) > leaf.ndim:
        raise ValueError(f"{name} of shape {leaf.shape} has fewer dimensions than its sharding rule {spec}")
    for size, axis in zip(leaf.shape, spec, strict=False):
        if axis and size % mesh.shape[axis]:
            raise ConfigError(
                f"{name} of shape {leaf.shape}: a dimension of {size} does not divide over mesh.{axis}="
                f"{mesh.shape[axis]}; choose a mesh.{axis} that divides it, or another model size"
            )
    return NamedSharding(mesh, spec)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of the arrays of a global batch: rows over `data` and `fsdp`."""
    return NamedSharding(mesh, BATCH)


def rows_of_device(mesh: Mesh, batch_size: int, accumulation: int = 1) -> int:
    """The number of rows of the global batch per device. Raises ConfigError if they do not divide over the mesh."""
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    if batch_size % (shards * accumulation):
        raise ConfigError(
            f"a batch of {batch_size} rows does not divide over data x fsdp = {shards} devices x {accumulation} "
            f"micro-batches; choose data.batch_size as a multiple of {shards * accumulation}"
        )
    return batch_size // shards


def rows_of_process(
    mesh: Mesh, batch_size: int, accumulation: int = 1, process_index: int | None = None
) -> tuple[int, ...]:
    """The rows of the global batch that a process, by default this one, loads for its devices, in ascending order.

    They may have gaps, because a mesh follows the links between devices rather than hosts. Processes that the `tensor`
    axis spans load the same rows. Raises ConfigError if the rows do not divide over the mesh.
    """
    each = rows_of_device(mesh, batch_size, accumulation)
    process_index = jax.process_index() if process_index is None else process_index
    mine = [[device.process_index == process_index for device in shard] for shard in _shards(mesh)]
    return tuple(
        row for shard in np.flatnonzero(np.any(mine, axis=1)) for row in range(shard * each, (shard + 1) * each)
    )


def to_global(
    local: dict[str, np.ndarray], rows: Sequence[int], mesh: Mesh, batch_size: int, axis: int = 0
) -> dict[str, jax.Array]:
    """Global arrays with `batch_size` rows along `axis`, from the `rows` of this process in `local`."""
    sharding = NamedSharding(mesh, P(*(None,) * axis, *BATCH))
    place_of = {row: place for place, row in enumerate(rows)}

    def place(x: np.ndarray) -> jax.Array:
        def shard(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None  # the index of one of this process's devices
            start, stop, _ = index[axis].indices(batch_size)
            return x[(*index[:axis], slice(place_of[start], place_of[start] + stop - start))]

        return jax.make_array_from_callback((*x.shape[:axis], batch_size, *x.shape[axis + 1 :]), sharding, shard)

    return {name: place(x) for name, x in local.items()}


def _shards(mesh: Mesh) -> np.ndarray:
    """Devices [shards of the batch, devices with the same shard]."""
    return mesh.devices.reshape(mesh.shape["data"] * mesh.shape["fsdp"], -1)
