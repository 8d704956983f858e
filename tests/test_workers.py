"""Real processes: each takes a moment to start."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from videobert_jax.workers import WorkerDiedError, Workers, share_out


def square(number):
    return number * number


def die_once(marker):
    """Killed at the first attempt, which leaves a file for the second."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die_at_three(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def own_pid(_):
    return os.getpid()


def fail(number):
    raise KeyError(f"no {number}")


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_worked_on_once(workers):
    assert sorted(share_out(square, range(7), workers)) == [(i, i * i) for i in range(7)]


def test_no_items_start_no_process():
    assert list(share_out(square, [], workers=2)) == []


def test_fewer_workers_than_none_are_an_error():
    with pytest.raises(ValueError, match="workers is -1, expected at least 0"):
        next(share_out(square, [1], workers=-1))


def test_a_dead_worker_is_tried_once_more(tmp_path):
    assert list(share_out(die_once, [tmp_path / "marker"], workers=1)) == [(tmp_path / "marker", "alive")]


def test_an_item_that_kills_every_worker_is_named_and_the_rest_continues():
    results = dict(share_out(die_at_three, range(6), workers=2))
    assert isinstance(results.pop(3), WorkerDiedError)
    assert results == {i: i for i in (0, 1, 2, 4, 5)}


def test_a_process_that_dies_while_idle_is_replaced():
    """For example when memory runs out while the parent is busy."""
    with Workers(1) as processes:
        ((_, victim),) = processes.share_out(own_pid, [0])
        os.kill(victim, signal.SIGKILL)
        processes._idle[0]._processes[victim].join()
        ((_, heir),) = processes.share_out(own_pid, [0])
    assert heir != victim


def test_an_exception_of_the_work_is_raised_here():
    with pytest.raises(KeyError, match="no 5"):
        list(share_out(fail, [5], workers=1))


def test_workers_end_when_their_parent_is_killed(tmp_path):
    """Otherwise they would wait for the next item forever."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, script], stdin=pipe, stdout=pipe, text=True, env=environment) as parent:
        assert parent.stdout.readline() == "done\n"
        parent.kill()
        # The workers hold the other end of the pipe too: it closes when the last of them has ended.
        parent.communicate(timeout=20)


PARENT = """
from videobert_jax.workers import share_out

if __name__ == "__main__":
    for _ in share_out(abs, [0], workers=1):
        print("done", flush=True)
        input()
"""
