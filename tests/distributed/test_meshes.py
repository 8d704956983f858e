"""The same steps on one device, on eight, and in two processes whose devices alternate on the mesh."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir

pytestmark = pytest.mark.soak  # tests/tasks/test_mixture.py has the same meshes, with more tasks

WORKER = pathlib.Path(__file__).with_name("worker.py")
# Every mesh sums in another order, so float32 results differ in their last digits; the updates of Adam, which divide by
# the size of the gradient, amplify this from step to step.
TOLERANCE = 1e-4  # relative


def start(devices: int, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        # Compilation takes most of the time, and optimisation half of that.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
    }
    return subprocess.Popen(
        [sys.executable, str(WORKER), *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def on_eight_devices(prepared: pathlib.Path) -> dict[str, list[dict[str, float]]]:
    """The metrics of each step, by mesh; the first is a single device's."""
    worker = start(8, "devices", str(prepared), '{"fsdp": [1, 8, 1], "all": [2, 2, 2]}')
    output, _ = worker.communicate(timeout=600)
    assert worker.returncode == 0
    return json.loads(output)


@pytest.mark.slow
@pytest.mark.parametrize("mesh", ["fsdp", "all"])
def test_eight_devices_agree_with_one(on_eight_devices, mesh: str) -> None:
    for step, expected in zip(on_eight_devices[mesh], on_eight_devices["single"], strict=True):
        assert step == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.slow
def test_two_processes_agree_with_one(prepared: pathlib.Path, on_eight_devices, tmp_path: pathlib.Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    workers = [start(2, "process", str(prepared), str(tmp_path), port, str(index), "2") for index in range(2)]
    for worker in workers:
        worker.communicate(timeout=600)
    assert [worker.returncode for worker in workers] == [0, 0]
    trained = [line for line in writers.read(Workdir(tmp_path).metrics) if "loss" in line]
    assert [line["step"] for line in trained] == [1, 2, 3, 4]
    for line, expected in zip(trained, on_eight_devices["single"], strict=True):
        assert {key: line[key] for key in expected} == pytest.approx(expected, rel=TOLERANCE)
