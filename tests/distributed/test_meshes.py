"""The same run on one device, on eight, and in two processes."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from videobert_jax.training import metrics

TRAINING_TESTS = pathlib.Path(__file__).parent.parent / "training"
WORKER = pathlib.Path(__file__).with_name("worker.py")
# Sums are taken in another order on every mesh, so float32 results differ in their last digits; the updates of Adam,
# which divide by the gradient's own size, let these grow from step to step.
TOLERANCE = 1e-4  # relative


def start(devices: int, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TRAINING_TESTS), os.environ.get("PYTHONPATH", "")]),
        # Compilation is most of the time, and half of it is optimisation.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
    }
    return subprocess.Popen([sys.executable, str(WORKER), *arguments], env=environment)


def losses(workdir: pathlib.Path) -> dict[str, list[float]]:
    lines = metrics.read(workdir / metrics.FILE)
    return {key: [line[key] for line in lines if key in line] for key in ("loss", "held_out/loss", "grad_norm", "fill")}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("distributed") / "prepared"
    script = "import pathlib, sys, tiny_run; tiny_run.write_prepared(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, cwd=TRAINING_TESTS)
    return folder


@pytest.fixture(scope="module")
def one_device(prepared: pathlib.Path) -> dict[str, list[float]]:
    """What every other run is compared with."""
    worker = start(1, str(prepared), str(prepared.parent / "one"), '{"one": {}}')
    assert worker.wait(timeout=600) == 0
    return losses(prepared.parent / "one" / "one")


@pytest.mark.slow
def test_eight_devices_agree_with_one(prepared: pathlib.Path, one_device, tmp_path: pathlib.Path) -> None:
    sizes = {"data": (8, 1, 1), "fsdp": (1, 8, 1), "all": (2, 2, 2)}
    meshes = {name: dict(zip(("data", "fsdp", "tensor"), size, strict=True)) for name, size in sizes.items()}
    assert start(8, str(prepared), str(tmp_path), json.dumps(meshes)).wait(timeout=600) == 0
    for name in meshes:
        for key, values in losses(tmp_path / name).items():
            assert values == pytest.approx(one_device[key], rel=TOLERANCE), (name, key)


@pytest.mark.slow
def test_two_processes_agree_with_one(prepared: pathlib.Path, one_device, tmp_path: pathlib.Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    arguments = (str(prepared), str(tmp_path), '{"rows": {"data": 2}}', port)
    workers = [start(1, *arguments, str(index), "2") for index in range(2)]
    assert [worker.wait(timeout=600) for worker in workers] == [0, 0]
    for key, values in losses(tmp_path / "rows").items():
        assert values == pytest.approx(one_device[key], rel=TOLERANCE), key
