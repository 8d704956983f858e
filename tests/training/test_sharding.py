import types
import typing

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, Mesh
from jax.sharding import PartitionSpec as P

from videobert_jax.config import MeshConfig
from videobert_jax.errors import ConfigError
from videobert_jax.training import sharding


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, "float32")


def abstract_mesh(data: int, fsdp: int, tensor: int) -> AbstractMesh:
    return AbstractMesh((data, fsdp, tensor), sharding.AXES)


def test_minus_one_takes_the_rest() -> None:
    devices = jax.devices()
    mesh = sharding.make_mesh(MeshConfig(data=1, fsdp=-1, tensor=1), devices)
    assert dict(mesh.shape) == {"data": 1, "fsdp": len(devices), "tensor": 1}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (MeshConfig(data=-1, fsdp=3), "mesh data=-1, fsdp=3, tensor=1 does not fill the 1 cpu devices"),
        (MeshConfig(data=2), "does not fill the 1 cpu devices"),
    ],
)
def test_a_mesh_that_does_not_fit_is_an_error(sizes: MeshConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sharding.make_mesh(sizes, jax.devices()[:1])


def test_stacked_layers_keep_their_leading_axis_whole() -> None:
    tree = {"encoder": {"layers": {"mlp": {"wi": {"kernel": shape(3, 8, 16), "bias": shape(3, 16)}}}}}
    specs = jax.tree.map(lambda x: x.sharding.spec, sharding.placed(tree, abstract_mesh(1, 2, 2)))
    assert specs["encoder"]["layers"]["mlp"]["wi"] == {"kernel": P(None, "fsdp", "tensor"), "bias": P(None, "tensor")}


def test_a_dimension_that_does_not_divide_is_named() -> None:
    tree = {"embeddings": {"token_embedding": {"embedding": shape(255, 8)}}}
    message = r"embeddings/token_embedding/embedding of shape \(255, 8\): a dimension of 255 .* mesh.tensor=2"
    with pytest.raises(ValueError, match=message):
        sharding.placed(tree, abstract_mesh(1, 1, 2))


class Hosted(typing.NamedTuple):
    """A fake device that belongs to a process."""

    process_index: int


def hosted_mesh(sizes: tuple[int, int, int], processes: list[int]) -> Mesh:
    """A fake mesh whose devices, in order, belong to these processes."""
    devices = np.empty(len(processes), object)
    devices[:] = [Hosted(process) for process in processes]
    shape = dict(zip(sharding.AXES, sizes, strict=True))
    return typing.cast(Mesh, types.SimpleNamespace(shape=shape, devices=devices.reshape(sizes)))


@pytest.mark.parametrize(
    ("sizes", "processes", "expected"),
    [
        ((1, 1, 1), [0], [tuple(range(16))]),
        ((2, 2, 1), [0, 0, 1, 1], [tuple(range(8)), tuple(range(8, 16))]),
        # A ring through both hosts, as JAX lays out meshes on the torus of a TPU slice.
        ((4, 2, 1), [0, 0, 1, 1, 1, 1, 0, 0], [(0, 1, 2, 3, 12, 13, 14, 15), tuple(range(4, 12))]),
        ((1, 4, 1), [0, 1, 0, 1], [(0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)]),
        # The tensor axis spans two hosts: both load the rows that they share.
        ((2, 1, 2), [0, 1, 1, 0], [tuple(range(16)), tuple(range(16))]),
        ((2, 1, 2), [0, 1, 2, 2], [tuple(range(8)), tuple(range(8)), tuple(range(8, 16))]),
    ],
)
def test_a_process_loads_the_rows_of_its_devices(sizes, processes, expected) -> None:
    mesh = hosted_mesh(sizes, processes)
    rows = [sharding.rows_of_process(mesh, 16, process_index=process) for process in range(max(processes) + 1)]
    assert rows == expected


def test_rows_that_do_not_divide_are_an_error() -> None:
    with pytest.raises(ConfigError, match="a batch of 12 rows does not divide over data x fsdp = 4 devices x 2 micro"):
        sharding.rows_of_process(hosted_mesh((2, 2, 1), [0] * 4), 12, accumulation=2)


def test_rows_are_put_where_they_belong() -> None:
    mesh = sharding.make_mesh(MeshConfig(), jax.devices()[:1])
    local = {"ids": np.arange(12).reshape(2, 6), "of": np.arange(24).reshape(2, 6, 2)}
    for name, x in sharding.to_global(local, range(6), mesh, 6, axis=1).items():
        np.testing.assert_array_equal(x, local[name])
