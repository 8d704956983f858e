import jax
import pytest
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from videobert_jax.config import MeshConfig
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
def test_a_mesh_that_does_not_fit_says_so(sizes: MeshConfig, message: str) -> None:
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


def test_one_process_loads_the_whole_batch() -> None:
    mesh = sharding.make_mesh(MeshConfig(), jax.devices()[:1])
    assert sharding.rows_of_process(mesh, 6) == (0, 1)
