"""SIGTERM in a run of one process; tests/distributed tests several."""

import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import pytest
import tiny_run

from videobert_jax.training.hosts import interruption
from videobert_jax.training.reporting import writers
from videobert_jax.training.reporting.journal import Journal
from videobert_jax.training.workdir import Workdir

PROGRAM = """
import os, signal, sys
import tiny_run
from videobert_jax import cli
from videobert_jax.training.reporting.journal import Journal

dispatched = Journal.dispatched

def asking(self, step, values):
    dispatched(self, step, values)
    if step == 3:
        os.kill(os.getpid(), signal.SIGTERM)

Journal.dispatched = asking
folders = sys.argv[1:]
del sys.argv[1:]
cli.run(lambda _: tiny_run.main(*folders, "{}"))
"""


@pytest.mark.slow
def test_a_program_that_is_asked_to_stop_ends_with_its_exit_code(
    prepared: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    tests = pathlib.Path(tiny_run.__file__).parent
    path = os.pathsep.join(map(str, (tests, tests.parent, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-c", PROGRAM, str(prepared), str(tmp_path)]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, timeout=600).returncode == 75
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["3"]


@pytest.mark.slow
def test_asked_to_stop_a_run_saves_the_step_it_is_at(
    prepared: pathlib.Path, cache: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    dispatched = Journal.dispatched

    def asking(self: Journal, step: int, values: Any) -> None:
        dispatched(self, step, values)
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    config = tiny_run.tiny_config(cache)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "dispatched", asking)
        with pytest.raises(SystemExit) as caught:
            tiny_run.train(config, tmp_path, prepared)
    assert caught.value.code == interruption.EXIT_CODE == 75
    assert "asked to stop, saved step 3; run the same command to resume" in capsys.readouterr().err
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    assert checkpoint.name == "3"
    assert not (checkpoint / "metrics").exists()  # no held-out loss was measured at this step
    assert signal.getsignal(signal.SIGTERM) == before

    tiny_run.train(config, tmp_path, prepared)
    lines = writers.read(Workdir(tmp_path).metrics)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 13))
    assert [line["step"] for line in lines if "held_out/loss" in line] == [2, 4, 6, 8, 10, 12]
