"""The processes of a run, one per host or accelerator: joining, waiting for the first, and leaving.

Apart from JAX's connections, they share only the disks of the cache and the workdir.
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

LONGEST_WAIT = 30 * 24 * 3600  # seconds; preparing may take days, and losing the first process ends the waiting ones

Result = TypeVar("Result")


def join(
    coordinator: str | None, count: int | None, index: int | None, join_seconds: int, heartbeat_seconds: int
) -> None:
    """Joins this process to the others of the run. Call it before any other function of JAX.

    From then on the loss of a process ends all others within about `heartbeat_seconds`, or at once if it is the first
    or if they are computing with it over TCP. If not all processes join in time, this one exits with a message and
    code 1, because fewer processes would be another run.

    Args:
      coordinator: HOST:PORT at which process 0 listens. JAX detects arguments that are None on Cloud TPU VMs, GKE,
        Slurm, Kubernetes and under Open MPI.
      count: number of processes.
      index: of this process, from 0.
      join_seconds: how long to wait for all of them.
      heartbeat_seconds: a process silent for this long counts as lost.

    Raises:
      ConnectionError: the arguments are invalid, or JAX cannot detect those that are None.
    """
    place = coordinator or "the address given by the cluster"
    advice = (
        "start all processes of the run, each with its own index; where JAX does not recognise the cluster, give "
        "--coordinator=HOST:PORT, --process_count and --process_index"
    )
    who = "this process" if index is None else f"process {index}" + (f" of {count}" if count else "")

    def end() -> None:
        message = f"{who}: not all processes joined at {place} within {join_seconds} s (--join_seconds); {advice}"
        print(message, file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(join_seconds, end)  # before JAX aborts with a stack trace
    timer.start()
    jax.config.update("jax_enable_preemption_service", False)  # interruption.py handles SIGTERM
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            index,
            initialization_timeout=join_seconds + 60,
            heartbeat_timeout_seconds=heartbeat_seconds,
        )
    except Exception as error:  # each cluster's detection raises its own
        raise ConnectionError(f"{who} cannot join the others at {place} ({error}); {advice}") from error
    finally:
        timer.cancel()


def first_before_others(work: Callable[[], Result]) -> Result:
    """Calls `work` in the first process while the others wait, then in the others, which find its work done."""
    result = work() if jax.process_index() == 0 else None
    wait("the first process has worked")
    return work() if result is None else result


def wait(name: str) -> None:
    """Waits until all processes have called this with the same name, which must be unique in a run."""
    multihost.get_barrier_sync_fn()(key=name, timeout_ms=LONGEST_WAIT * 1000)


def leave_together(name: str) -> None:
    """Waits for all processes as `wait` does, then disconnects; process 0, the coordinator, last.

    Otherwise a process could disconnect before the others have learnt that all have arrived.
    """
    wait(name)
    if jax.process_count() > 1:
        jax.distributed.shutdown()


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """Exits at once when the body raises in one of several processes, which ends the others too.

    An orderly shutdown would deadlock: this process and the others would wait at different barriers.
    """
    try:
        yield
    except BaseException as error:
        leave(error)
        raise


def leave(error: BaseException) -> None:
    """Exits with the error's traceback and code 1; returns for a single process, or if all raise the same error."""
    if jax.process_count() == 1 or isinstance(error, SystemExit | FloatingPointError):
        return
    traceback.print_exception(error)
    who = f"process {jax.process_index()} of {jax.process_count()}"
    if isinstance(error, jax.errors.JaxRuntimeError):
        print(
            f"{who} exits: a computation of all processes failed, most likely because another process was lost; its "
            "output says why. Run the same command on all of them to resume from the newest checkpoint.",
            file=sys.stderr,
        )
    else:
        print(f"{who} exits, and the others will follow", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
