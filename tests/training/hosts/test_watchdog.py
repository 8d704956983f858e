"""The watchdog of one process; tests/distributed tests several."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from videobert_jax.training.hosts import watchdog

HANGS = """
import pathlib, sys, time
from videobert_jax.training.hosts.watchdog import Watchdog
with Watchdog(pathlib.Path(sys.argv[1]), 0.4) as dog:
    for step in range(1, 4):
        dog.at(step)
        time.sleep(0.2)
    time.sleep(100)
"""
STOPPED = """
import os, pathlib, signal, sys, time
from videobert_jax.training.hosts.watchdog import Watchdog
with Watchdog(pathlib.Path(sys.argv[1]), 1.0) as dog:
    dog.at(1)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.3)
"""


def test_a_run_without_progress_ends_and_shows_where(tmp_path: pathlib.Path) -> None:
    done = subprocess.run([sys.executable, "-c", HANGS, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == watchdog.EXIT_CODE == 70
    assert "process 0 of 1: no progress for 0.4 s (--hang_seconds). All processes are at step 3" in done.stderr
    assert 'File "<string>", line 8 in <module>' in done.stderr
    status = json.loads((tmp_path / "0.json").read_text())
    assert status["step"] == 3
    assert status.keys() == {"step", "host", "pid"}


def test_a_process_that_was_stopped_does_not_hang(tmp_path: pathlib.Path) -> None:
    stopped = subprocess.Popen([sys.executable, "-c", STOPPED, str(tmp_path)])
    assert os.WIFSTOPPED(os.waitpid(stopped.pid, os.WUNTRACED)[1])
    time.sleep(1.5)
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(60) == 0
