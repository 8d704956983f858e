"""Runs of several processes of which one is lost, hangs, or meets a step that is not finite."""

import json
import pathlib
import re
import signal

import pytest
from member import HEARTBEAT_SECONDS, TWO, Fault, Run

from videobert_jax.training.hosts import watchdog
from videobert_jax.training.workdir import Workdir


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_the_loss_of_one_process_ends_the_other_with_an_error(unbroken: Run, tmp_path: pathlib.Path, killed) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    members = run.start(2, Fault("SIGKILL", killed, 5), **TWO)
    members[killed].join(300)
    members[1 - killed].join(HEARTBEAT_SECONDS)
    assert members[killed].exitcode == -signal.SIGKILL
    assert members[1 - killed].exitcode not in (0, None)
    # Ours if it comes first; otherwise JAX detects the loss and aborts.
    assert re.search("another process was lost|another task died", run.output(1 - killed)), run.output(1 - killed)


@pytest.mark.slow
@pytest.mark.soak
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
def test_a_non_finite_step_ends_all_and_is_reported_once(unbroken: Run, tmp_path: pathlib.Path) -> None:
    run = Run(unbroken.prepared, tmp_path / "run")
    assert run.to_the_end(2, Fault("overflow", 0, 1), checkpoint={"every": 1}, **TWO) == [1, 1], run.output(0)
    for index in range(2):
        assert re.search(
            r"NonFiniteError: step 1: .*loss is (nan|inf).*Nothing of this step is saved", run.output(index)
        )
    assert run.saved() == []
    report = json.loads(Workdir(run.workdir).non_finite.read_text())
    assert report["step"] == 1
    assert len(report["examples"]) == 8  # of all processes
    assert "gradients" in report  # norms of the parameters are known from the second step on
