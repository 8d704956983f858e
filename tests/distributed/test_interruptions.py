"""Runs of several processes that are asked to stop or killed, and go on."""

import os
import pathlib
import random
import signal

import jax
import numpy as np
import pytest
import tiny_run
from member import TWO, Fault, Run

from videobert_jax.tasks import make_task
from videobert_jax.training import sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.hosts import interruption
from videobert_jax.training.program import make_program

TOLERANCE = 1e-4  # relative; see test_meshes.py
KILLS = int(os.environ.get("KILLS", "2"))  # 20 take a minute or two


def state(run: Run) -> dict[str, np.ndarray]:
    """All arrays of the newest checkpoint, saved by any number of processes."""
    config = tiny_run.tiny_config(run.prepared.parent / "cache")
    mesh = sharding.make_mesh(config.mesh, jax.devices()[:1])
    with Checkpoints(run.workdir / "checkpoints", read_only=True) as checkpoints:
        tree = checkpoints.restore(make_program(config, make_task(config, tiny_run.TOKENS), mesh).state)
    assert tree is not None
    tree = tree.replace(rng=jax.random.key_data(tree.rng))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.mark.slow
def test_a_run_resumes_with_any_number_of_processes(unbroken: Run, tmp_path: pathlib.Path) -> None:
    """Two, of which one is asked to stop; then one, also asked to stop; then four."""
    run = Run(unbroken.prepared, tmp_path / "run")
    assert run.to_the_end(2, Fault("SIGTERM", 1, 2), **TWO) == [interruption.EXIT_CODE] * 2, run.output(0)
    assert run.saved() == [3]
    assert "asked to stop, saved step 3; run the same command to resume" in run.output(0)
    assert run.to_the_end(0, Fault("SIGTERM", 0, 7)) == [interruption.EXIT_CODE], run.output(0)
    assert run.saved() == [4, 7]  # the newest two
    four = {"mesh": {"data": 2, "fsdp": 2}}
    assert run.to_the_end(4, **four) == [0] * 4, run.output(0)

    assert run.rows() == unbroken.rows()
    for line, expected in zip(run.losses(), unbroken.losses(), strict=True):
        assert line == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.slow
def test_a_run_that_is_killed_repeatedly_is_the_unbroken_one(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run, rng = Run(unbroken.prepared, tmp_path / "run"), random.Random(0)
    run.workdir.joinpath("checkpoints").mkdir(parents=True)
    for number in range(KILLS):
        # A checkpoint every four steps: most are killed before the next is written, every fifth after.
        reach = 9 if number % 5 == 4 else rng.randint(1, 4)
        step = min(max(run.saved(), default=0) + reach, 11)
        fault = Fault("SIGKILL", rng.randrange(2), step, within=0.05 if step < 10 else 0.0)
        codes = run.to_the_end(2, fault, **TWO)
        assert codes[fault.index] == -signal.SIGKILL, run.output(fault.index)
        assert 0 not in codes
    assert run.to_the_end(2, **TWO) == [0, 0], run.output(0) + run.output(1)
    assert run.losses() == unbroken.losses()
    expected, actual = state(unbroken), state(run)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    assert run.rows() == unbroken.rows()


@pytest.mark.slow
@pytest.mark.soak
def test_a_checkpoint_that_one_process_cannot_read_is_used_by_none(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    assert run.to_the_end(2, Fault("SIGTERM", 0, 5), **TWO) == [interruption.EXIT_CODE] * 2
    assert run.saved() == [4, 6]
    assert run.to_the_end(2, Fault("unreadable", 1, 6), **TWO) == [0, 0], run.output(0) + run.output(1)
    for index in range(2):
        assert "6 IS DAMAGED and is renamed to 6.damaged" in run.output(index)
    assert "process 1 cannot read its part" in run.output(0)
    assert run.losses() == unbroken.losses()
