"""How a mesh splits what the model computes: its rows, its parameters, and between products its positions.

Without a mesh, as on one device, nothing here does anything.
"""

import math
from collections.abc import Callable

import jax
from jax.sharding import PartitionSpec as P

ROWS = P(("data", "fsdp"))  # mesh axes over which a training run splits the rows of its batch
# And over which it splits a kernel [D, F] and, row-wise, the embedding table [padded_size, D]. Over `fsdp` both are
# gathered to be used; a product goes column-wise and then row-wise over `tensor`, so that a pair of them needs a single
# sum over devices (Megatron, Shoeybi et al. 2019).
COLUMN_WISE, ROW_WISE, UNSPLIT = P("fsdp", "tensor"), P("tensor", "fsdp"), P("fsdp", None)


def tensor_devices() -> int:
    """Size of the mesh axis `tensor`, which splits the computation inside a layer; 1 without a mesh."""
    return jax.sharding.get_abstract_mesh().shape.get("tensor", 1)


def by_positions(x: jax.Array) -> P:
    """The split of activations [B, S, D] between layers: rows, and over `tensor` the positions of each, if S divides.

    Left alone, XLA's partitioner lets activations inherit the `fsdp` split of the parameters, and sums them over
    devices in every product, where it should gather the parameters.
    """
    return ROWS if x.shape[1] % tensor_devices() else P(*ROWS, "tensor")


@jax.custom_vjp
def split_by_positions(x: jax.Array) -> jax.Array:
    """Under a mesh, splits rows [B, S, D] as `by_positions` says, for what is done to each position alone.

    This is sequence parallelism (Korthikanti et al. 2022, section 4.2.2). What a product sums over devices is scattered
    here, and `joined_by_positions` gathers it for the next: together they send what a sum to everywhere would.
    """
    return held(x, by_positions(x))


@jax.custom_vjp
def joined_by_positions(x: jax.Array) -> jax.Array:
    """Undoes `split_by_positions`; the gradient of either is the other."""
    return held(x, ROWS)


split_by_positions.defvjp(lambda x: (split_by_positions(x), None), lambda _, slope: (joined_by_positions(slope),))
joined_by_positions.defvjp(lambda x: (joined_by_positions(x), None), lambda _, slope: (split_by_positions(slope),))


def held(x: jax.Array, split: P) -> jax.Array:
    """Under a mesh, holds `x`, and its gradient, to a split over its axes; without one, does nothing."""
    return x if jax.sharding.get_abstract_mesh().empty else jax.lax.with_sharding_constraint(x, split)


def gathered(kernel: jax.Array, split: P) -> jax.Array:
    """A kernel, or a table, whole along `fsdp`.

    Left to XLA's partitioner, products on TPUs would send pieces of it round, and wait for each of them.
    """
    return held(kernel, P(*(None if axis == "fsdp" else axis for axis in split)))


def summed_over_rows(part: Callable[..., jax.Array], inputs: tuple[P, ...], split: P) -> Callable[..., jax.Array]:
    """Makes a function of whole batches, split like `inputs`, of one that says what some rows add to a sum.

    On a mesh each device does its own rows; the sums are scattered over `fsdp`, as `split` says, and only then added up
    over `data`. Left to XLA's partitioner, some products on TPUs would send pieces of them round and wait for each, and
    sums of a whole table would go everywhere.
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
