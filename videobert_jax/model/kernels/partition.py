"""Partitioning of the model over a mesh: rows, parameters and, between products, positions.

Without a mesh, as on one device, these functions do nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import PartitionSpec as P

ROWS = P(("data", "fsdp"))  # mesh axes of a batch's rows
# Mesh axes of a kernel [D, F] and, row-wise, of the embedding table [padded_size, D]. Both are gathered over `fsdp` for
# use. A column-wise product is followed by a row-wise one over `tensor`, so that the pair needs a single sum over
# devices (Megatron, Shoeybi et al. 2019).
COLUMN_WISE, ROW_WISE, UNSPLIT = P("fsdp", "tensor"), P("tensor", "fsdp"), P("fsdp", None)


def tensor_devices() -> int:
    """The size of the mesh axis `tensor`, which splits the computation within a layer; 1 without a mesh."""
    return jax.sharding.get_abstract_mesh().shape.get("tensor", 1)


def by_positions(x: jax.Array) -> P:
    """The split of activations [B, S, D] between layers: by rows and, if S is divisible, by positions over `tensor`.

    Without it, XLA's partitioner gives activations the `fsdp` split of the parameters and sums them over devices in
    every product, instead of gathering the parameters.
    """
    return ROWS if x.shape[1] % tensor_devices() else P(*ROWS, "tensor")


@jax.custom_vjp
def split_by_positions(x: jax.Array) -> jax.Array:
    """Under a mesh, splits x [B, S, D] `by_positions`, for operations on single positions.

    This is sequence parallelism (Korthikanti et al. 2022, section 4.2.2): a product's sum over devices is scattered
    here and gathered by `joined_by_positions` for the next product. Together they send as much as an all-reduce.
    """
    return held(x, by_positions(x))


@jax.custom_vjp
def joined_by_positions(x: jax.Array) -> jax.Array:
    """Undoes `split_by_positions`; each is the gradient of the other."""
    return held(x, ROWS)


split_by_positions.defvjp(lambda x: (split_by_positions(x), None), lambda _, slope: (joined_by_positions(slope),))
joined_by_positions.defvjp(lambda x: (joined_by_positions(x), None), lambda _, slope: (split_by_positions(slope),))


def held(x: jax.Array, split: P) -> jax.Array:
    """Under a mesh, constrains the split of `x` and of its gradient."""
    return x if jax.sharding.get_abstract_mesh().empty else jax.lax.with_sharding_constraint(x, split)


def replicated(tree: Any) -> Any:
    """Puts whole arrays on every device of a mesh, so that each process can read them; without one, does nothing."""
    return jax.tree.map(lambda x: held(x, P()), tree)


def gathered(kernel: jax.Array, split: P) -> jax.Array:
    """Gathers a kernel or table over `fsdp`; otherwise products on TPUs pass pieces of it around, waiting for each."""
    return held(kernel, P(*(None if axis == "fsdp" else axis for axis in split)))


def summed_over_rows(part: Callable[..., jax.Array], inputs: tuple[P, ...], split: P) -> Callable[..., jax.Array]:
    """Extends `part`, which sums over rows of arrays split like `inputs`, to whole batches; splits the sum by `split`.

    On a mesh, each device sums its own rows; the sums are scattered over `fsdp` and only then added over `data`.
    Otherwise XLA's partitioner passes pieces around in some products on TPUs, waiting for each, and sends the sums of a
    whole table to all devices.
    """

    def scattered(*arrays: jax.Array) -> jax.Array:
        result = part(*arrays)
        if sizes["fsdp"] > 1:
            result = jax.lax.psum_scatter(result, "fsdp", scatter_dimension=split.index("fsdp"), tiled=True)
        return jax.lax.psum(result, "data") if sizes["data"] > 1 else result

    sizes = jax.sharding.get_abstract_mesh().shape
    if math.prod(sizes.values()) == 1:  # one device, or no mesh
        return part
    return jax.shard_map(scattered, in_specs=inputs, out_specs=split, check_vma=False)
