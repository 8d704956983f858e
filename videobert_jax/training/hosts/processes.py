"""The processes of a run, one per host or per accelerator: how they join, wait for the first, and leave.

They share the disks of the cache and of the workdir, and nothing else but what JAX connects.
"""

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
from orbax.checkpoint import multihost

LONGEST_WAIT = 30 * 24 * 3600  # seconds; preparing may take days, and who waits is ended if the first is lost

Result = TypeVar("Result")


def join(
    coordinator: str | None, count: int | None, index: int | None, join_seconds: int, heartbeat_seconds: int
) -> None:
    """Makes this process one of several; to be called before anything else of JAX.

    From here on the loss of a process ends all others within about `heartbeat_seconds`, at once if it is the first, or
    if they compute something with it over TCP.

    Args:
      coordinator: host:port at which process 0 listens. JAX finds out what is None on Cloud TPU VMs, GKE, Slurm,
        Kubernetes and under Open MPI.
      count: how many processes there are.
      index: which of them this is, from 0.
      join_seconds: how long to wait for all of them.
      heartbeat_seconds: a process that is not heard of for so long is lost.

    Raises:
      ConnectionError: the arguments, or what the cluster says in their stead, name no meeting. If there is one and not
        all come to it, this process ends with a message and exit code 1: a run of fewer would be another.
    """
    place = coordinator or "the address that the cluster names"
    advice = (
        "start all processes of the run, each with its own index; where JAX does not recognise the cluster, give "
        "--coordinator=HOST:PORT, --process_count and --process_index"
    )
    who = "this process" if index is None else f"process {index}" + (f" of {count}" if count else "")

    def end() -> None:
        message = f"{who} did not meet all others at {place} within {join_seconds} s (--join_seconds); {advice}"
        print(message, file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(join_seconds, end)  # JAX would abort with a stack trace, a moment later
    timer.start()
    jax.config.update("jax_enable_preemption_service", False)  # SIGTERM is ours, see interruption.py
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            index,
            initialization_timeout=join_seconds + 60,
            heartbeat_timeout_seconds=heartbeat_seconds,
        )
    except Exception as error:  # each cluster's detection has its own
        raise ConnectionError(f"{who} cannot join the others at {place} ({error}); {advice}") from error
    finally:
        timer.cancel()


def first_before_others(work: Callable[[], Result]) -> Result:
    """The first process works while the others wait; then they call `work` too, and find it done."""
    result = work() if jax.process_index() == 0 else None
    wait("the first process has worked")
    return work() if result is None else result


def wait(name: str) -> None:
    """Returns when all processes have called this with the same name, which is used once in a run."""
    multihost.get_barrier_sync_fn()(key=name, timeout_ms=LONGEST_WAIT * 1000)


def leave_together(name: str) -> None:
    """The orderly end of a run: all wait for each other as in `wait`, then leave, the first, whom they talk to, last.

    Who has heard that all are there may else be gone before the others have.
    """
    wait(name)
    if jax.process_count() > 1:
        jax.distributed.shutdown()


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """What goes wrong in one of several processes ends it at once, and so the others.

    An orderly end would wait for them at the next thing that all do together, as they wait for it at theirs.
    """
    try:
        yield
    except BaseException as error:
        leave(error)
        raise


def leave(error: BaseException) -> None:
    """Ends this process with the error's traceback and exit code 1; returns if it is the only one, or all raise it."""
    if jax.process_count() == 1 or isinstance(error, SystemExit | FloatingPointError):
        return
    traceback.print_exception(error)
    who = f"process {jax.process_index()} of {jax.process_count()}"
    if isinstance(error, jax.errors.JaxRuntimeError):
        print(
            f"{who} ends: what all compute together failed, most likely because another process is lost; its own "
            "output says why. The same command, on all of them, goes on from the newest checkpoint.",
            file=sys.stderr,
        )
    else:
        print(f"{who} ends, and the others will end with it", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
