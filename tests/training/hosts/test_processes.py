"""Processes that fail to join; tests/distributed tests those that succeed."""

import socket
import subprocess
import sys

import pytest

from videobert_jax.training.hosts import processes

JOIN = "import sys; from videobert_jax.training.hosts import processes; processes.join(sys.argv[1], 2, 1, 2, 10)"


def test_a_process_that_others_do_not_join_exits_with_a_message() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    done = subprocess.run([sys.executable, "-c", JOIN, place], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"process 1 of 2: not all processes joined at {place} within 2 s (--join_seconds); start all" in done.stderr


@pytest.mark.parametrize("place", [None, "nonsense"])
def test_an_invalid_coordinator_is_a_clear_error(place: str | None) -> None:
    with pytest.raises(
        ConnectionError, match=r"this process cannot join the others at .* give --coordinator=HOST:PORT"
    ):
        processes.join(place, None, None, 2, 10)


def test_a_single_process_does_not_wait() -> None:
    assert processes.first_before_others(lambda: 7) == 7
    processes.wait("alone")
    with pytest.raises(KeyError), processes.ending_together():
        raise KeyError
