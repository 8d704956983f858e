"""The collectives of the compiled training step: none moves activations unnecessarily."""

import collections
import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow
PROGRAM = pathlib.Path(__file__).with_name("partitioned.py")
MESHES = {"data": (8, 1, 1), "fsdp": (1, 8, 1), "tensor": (1, 1, 4), "all": (2, 2, 2)}
# Sizes of the program: layers, rows, positions, predictions, hidden_size, mlp_size, max_positions, padded_size.
L, B, S, K, D, F, P, V = 2, 16, 28, 6, 40, 88, 36, 256
KERNELS = {D * D, 3 * D * D, D * F, V * D}  # what `fsdp` splits
OTHERS = {D, 3 * D, F, V, 2 * D, P * D}  # what it does not split
PARAMETERS = KERNELS | OTHERS
SCALARS = {1, L}  # metrics, and the norms of the modules, layer by layer


class Found(NamedTuple):
    """One array of a collective."""

    kind: str
    axes: tuple[str, ...]
    size: int
    label: str
    looped: bool


@pytest.fixture(scope="module")
def found() -> dict[str, list[Found]]:
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0",
    }
    command = [sys.executable, str(PROGRAM), json.dumps(MESHES)]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=600).stdout
    return {
        name: [
            Found(kind, tuple(axes), size, label, looped)
            for kind, axes, sizes, label, looped in listed
            for size in sizes
        ]
        for name, listed in json.loads(output).items()
    }


def test_data_alone_sums_gradients_and_metrics(found: dict[str, list[Found]]) -> None:
    assert {(x.kind, x.axes) for x in found["data"]} == {("all-reduce", ("data",))}
    assert {x.size for x in found["data"]} - SCALARS <= PARAMETERS


def test_fsdp_gathers_kernels_and_scatters_sums_of_gradients(found: dict[str, list[Found]]) -> None:
    assert {x.axes for x in found["fsdp"]} == {("fsdp",)}
    by_kind = collections.defaultdict(set)
    for x in found["fsdp"]:
        by_kind[x.kind].add(x.size)
    each = {D * D, D * F, V * D}  # where `tensor` is not split, parts of fused kernels are used one by one
    parts = MESHES["fsdp"][1]
    assert by_kind.keys() == {"all-gather", "reduce-scatter", "all-reduce"}
    assert by_kind["all-gather"] == each
    assert by_kind["reduce-scatter"] == {size // parts for size in each}
    assert by_kind["all-reduce"] - SCALARS <= OTHERS


def of_activations(found: list[Found], kind: str, size: int) -> list[tuple[str, bool]]:
    """(part of the model, in the backward pass?) of each collective of `size` elements over `tensor`."""
    chosen = [x for x in found if (x.kind, x.axes, x.size) == (kind, ("tensor",), size)]
    return sorted((next(part for part in PARTS if part in x.label), "transpose" in x.label) for x in chosen)


PARTS = (
    "attention/out",
    "attention/qkv",
    "attention_norm",
    "attention",
    "mlp/wi",
    "mlp/wo",
    "Dropout",
    "embeddings",
    "encoder",
)
SUMS = [("attention/out", False), ("attention/qkv", True), ("embeddings", False), ("mlp/wi", True), ("mlp/wo", False)]
# Before either half of a layer and, of the gradient, before its dropout; at the end of all layers, and their beginning.
GATHERS = [("Dropout", True), ("Dropout", True), ("attention", False), ("attention_norm", False)]
GATHERS += [("embeddings", True), ("encoder", False)]


def test_tensor_sums_and_gathers_four_times_a_layer(found: dict[str, list[Found]]) -> None:
    """Twice forward and twice backward; and once each what the halves of the vocabulary say, but never as logits.

    The TPU's compiler makes reduce-scatters of the sums, whose positions are split; the CPU's does not.
    """
    assert {(x.kind, x.axes) for x in found["tensor"]} == {("all-reduce", ("tensor",)), ("all-gather", ("tensor",))}
    assert of_activations(found["tensor"], "all-reduce", B * S * D) == SUMS
    assert of_activations(found["tensor"], "all-gather", B * S * D) == GATHERS
    others = [x for x in found["tensor"] if x.size != B * S * D]
    assert {x.kind for x in others} == {"all-reduce"}
    assert [x.looped for x in others if x.size == B * K * D] == [False]
    assert all(x.size <= B * K or x.size in OTHERS | {B * K * D} for x in others)


def test_all_axes_together_do_what_each_does(found: dict[str, list[Found]]) -> None:
    data, fsdp, tensor = MESHES["all"]
    rows = B // (data * fsdp)
    assert of_activations(found["all"], "all-reduce", rows * S * D) == SUMS
    assert of_activations(found["all"], "all-gather", rows * S * D) == GATHERS
    by_kind = collections.defaultdict(set)
    for x in found["all"]:
        by_kind[x.kind, x.axes].add(x.size)
    # Parameters that `tensor` splits, and the others.
    whole = {n // tensor for n in (D * D, 3 * D * D, D * F, V * D)} | {D * D}
    shares = {n // fsdp for n in whole}
    assert by_kind.pop(("all-gather", ("fsdp",))) == whole
    assert by_kind.pop(("reduce-scatter", ("fsdp",))) == shares
    assert by_kind.pop(("all-reduce", ("data",))) == shares
    assert by_kind.pop(("all-gather", ("tensor",))) == {rows * S * D}
    sums = by_kind.pop(("all-reduce", ("tensor",)))
    assert all(size <= rows * K or size in OTHERS | {rows * S * D, rows * K * D} for size in sums)
    assert by_kind.pop(("all-reduce", ("data", "fsdp"))) - SCALARS <= OTHERS | {n // tensor for n in OTHERS}
    assert by_kind.pop(("all-reduce", ("fsdp",))) <= SCALARS
    assert not by_kind
