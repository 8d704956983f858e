"""Each task trained by itself, and all at once: on several devices as on one, killed and resumed as without a break.

tests/tasks/test_mixture.py has that sequences are told alike packed and alone, for all tasks.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import mixtures
import numpy as np
import pytest
import tiny_run

MESHES = {"fsdp": [1, 8, 1], "all": [2, 2, 2]}
# The mixture has the rows, the heads and the losses of all tasks.
TASKS = ["mixture", *(pytest.param(part, marks=pytest.mark.soak) for part in mixtures.PARTS)]


def start(*arguments: str, devices: int = 1) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
        "PYTHONPATH": os.pathsep.join([str(pathlib.Path(tiny_run.__file__).parent), os.environ["PYTHONPATH"]]),
    }
    command = [sys.executable, mixtures.__file__, *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, timeout=600, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tasks")
    mixtures.write(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_eight_devices_agree_with_one(folder: pathlib.Path, task: str) -> None:
    """Within the tolerance of tests/distributed/test_meshes.py, which says why."""
    ended = start("devices", str(folder), json.dumps(MESHES), task, devices=8)
    assert ended.returncode == 0
    found: dict[str, list[dict[str, Any]]] = json.loads(ended.stdout)[task]
    assert len(found["single"]) == mixtures.STEPS
    for mesh in MESHES:
        for step, expected in zip(found[mesh], found["single"], strict=True):
            assert step == pytest.approx(expected, rel=1e-4), mesh


@pytest.mark.slow
@pytest.mark.soak  # tests/tasks/test_mixture.py resumes a run of all tasks, tests/distributed kills those of one
@pytest.mark.parametrize("task", ["mixture", *mixtures.PARTS])
def test_a_killed_and_resumed_run_is_bitwise_the_whole_one(
    folder: pathlib.Path, task: str, tmp_path: pathlib.Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start("train", str(folder), task, str(whole)).returncode == 0
    assert start("train", str(folder), task, str(killed), "step", "3").returncode == -signal.SIGKILL
    assert start("train", str(folder), task, str(killed)).returncode == 0
    assert [line["step"] for line in tiny_run.deterministic(whole)] == [1, 2, 3, 4]
    assert tiny_run.deterministic(killed) == tiny_run.deterministic(whole)
    expected, actual = tiny_run.leaves(whole, 4), tiny_run.leaves(killed, 4)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
