"""Runs of several processes of which one is asked to stop, is killed, hangs, or cannot read a checkpoint."""

import json
import os
import pathlib
import random
import re
import signal
import sys
from typing import Any

import jax
import numpy as np
import pytest

from videobert_jax.tasks import make_task
from videobert_jax.training import sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.hosts import interruption, watchdog
from videobert_jax.training.program import make_program
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "training"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import tiny_run
from member import HEARTBEAT_SECONDS, Fault, Run

TWO = {"mesh": {"fsdp": 2}}
TOLERANCE = 1e-4  # relative; see test_meshes.py
KILLS = int(os.environ.get("KILLS", "4"))  # 20 take a minute or two


def losses(run: Run) -> list[dict[str, Any]]:
    lines = writers.read(Workdir(run.workdir).metrics)
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def state(run: Run) -> dict[str, np.ndarray]:
    """All arrays of the newest checkpoint, saved by any number of processes."""
    config = tiny_run.tiny_config(run.prepared.parent / "cache")
    mesh = sharding.make_mesh(config.mesh, jax.devices()[:1])
    with Checkpoints(run.workdir / "checkpoints", read_only=True) as checkpoints:
        tree = checkpoints.restore(make_program(config, make_task(config, tiny_run.TOKENS), mesh).state)
    assert tree is not None
    tree = tree.replace(rng=jax.random.key_data(tree.rng))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def saved(run: Run) -> list[int]:
    return sorted(int(path.name) for path in (run.workdir / "checkpoints").iterdir() if path.name.isdigit())


@pytest.fixture(scope="module")
def unbroken(prepared: pathlib.Path) -> Run:
    """Twelve steps in two processes."""
    run = Run(prepared, prepared.parent / "unbroken")
    assert run.to_the_end(2, **TWO) == [0, 0], run.output(0) + run.output(1)
    assert run.turns.read_text() == "01"  # the second waited for the first
    return run


@pytest.mark.slow
def test_a_run_resumes_with_any_number_of_processes(unbroken: Run, tmp_path: pathlib.Path) -> None:
    """Two, of which one is asked to stop; then one, also asked to stop; then four."""
    run = Run(unbroken.prepared, tmp_path / "run")
    assert run.to_the_end(2, Fault("SIGTERM", 1, 2), **TWO) == [interruption.EXIT_CODE] * 2, run.output(0)
    assert saved(run) == [3]
    assert "asked to stop, saved step 3; run the same command to resume" in run.output(0)
    assert run.to_the_end(0, Fault("SIGTERM", 0, 7)) == [interruption.EXIT_CODE], run.output(0)
    assert saved(run) == [4, 7]  # the newest two
    four = {"mesh": {"data": 2, "fsdp": 2}}
    assert run.to_the_end(4, **four) == [0] * 4, run.output(0)

    assert run.rows() == unbroken.rows()
    for line, expected in zip(losses(run), losses(unbroken), strict=True):
        assert line == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.slow
def test_a_run_that_is_killed_repeatedly_is_the_unbroken_one(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run, rng = Run(unbroken.prepared, tmp_path / "run"), random.Random(0)
    run.workdir.joinpath("checkpoints").mkdir(parents=True)
    for number in range(KILLS):
        # A checkpoint every four steps: most are killed before the next is written, every fifth after.
        reach = 9 if number % 5 == 4 else rng.randint(1, 4)
        step = min(max(saved(run), default=0) + reach, 11)
        fault = Fault("SIGKILL", rng.randrange(2), step, within=0.05 if step < 10 else 0.0)
        codes = run.to_the_end(2, fault, **TWO)
        assert codes[fault.index] == -signal.SIGKILL, run.output(fault.index)
        assert 0 not in codes
    assert run.to_the_end(2, **TWO) == [0, 0], run.output(0) + run.output(1)
    assert losses(run) == losses(unbroken)
    expected, actual = state(unbroken), state(run)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    assert run.rows() == unbroken.rows()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_the_loss_of_one_process_ends_the_other_with_an_error(unbroken: Run, tmp_path: pathlib.Path, killed) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    members = run.start(2, Fault("SIGKILL", killed, 5), **TWO)
    members[killed].join(300)
    members[1 - killed].join(HEARTBEAT_SECONDS)
    assert members[killed].exitcode == -signal.SIGKILL
    assert members[1 - killed].exitcode not in (0, None)
    # Ours if it comes first; otherwise JAX detects the loss and aborts.
    assert re.search("another process was lost|another task died", run.output(1 - killed)), run.output(1 - killed)
    assert run.to_the_end(2, **TWO) == [0, 0], run.output(0) + run.output(1)
    assert losses(run) == losses(unbroken)


@pytest.mark.slow
def test_a_hung_process_is_named(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    codes = run.to_the_end(2, Fault("hang", 1, 5), **TWO)
    assert watchdog.EXIT_CODE in codes
    assert 0 not in codes
    # Not both may print: the first to exit ends the other.
    output = run.output(0) + run.output(1)
    named = r"no progress for 10 s .*\. Furthest behind: process 1 \(.*, pid \d+\), at step 5; others are at step 6"
    assert re.search(named, output), output
    assert "in befallen" in run.output(1)  # where it hangs


@pytest.mark.slow
def test_a_checkpoint_that_one_process_cannot_read_is_used_by_none(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    assert run.to_the_end(2, Fault("SIGTERM", 0, 5), **TWO) == [interruption.EXIT_CODE] * 2
    assert saved(run) == [4, 6]
    assert run.to_the_end(2, Fault("unreadable", 1, 6), **TWO) == [0, 0], run.output(0) + run.output(1)
    for index in range(2):
        assert "6 IS DAMAGED and is renamed to 6.damaged" in run.output(index)
    assert "process 1 cannot read its part" in run.output(0)
    assert losses(run) == losses(unbroken)


@pytest.mark.slow
def test_a_non_finite_step_ends_all_and_is_reported_once(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    assert run.to_the_end(2, Fault("overflow", 0, 1), checkpoint={"every": 1}, **TWO) == [1, 1], run.output(0)
    for index in range(2):
        assert re.search(
            r"NonFiniteError: step 1: .*loss is (nan|inf).*Nothing of this step is saved", run.output(index)
        )
    assert saved(run) == []
    report = json.loads(Workdir(run.workdir).non_finite.read_text())
    assert report["step"] == 1
    assert len(report["examples"]) == 8  # of all processes
    assert "gradients" in report  # norms of the parameters are known from the second step on
