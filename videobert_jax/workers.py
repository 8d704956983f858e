"""Worker processes that share independent items and survive the death of a process."""

import collections
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")

ATTEMPTS = 2  # per item, if its process dies


class WorkerDiedError(Exception):
    """The result of an item whose process died (killed, out of memory, crashed in native code) at every attempt."""

    def __str__(self) -> str:
        return f"its worker process died {ATTEMPTS} times: killed, out of memory, or a crash in native code"


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Spawned processes, started on demand and kept until `close` or the end of a `with`.

    A pool of several processes breaks as a whole when one dies, without telling which item was running. So each process
    is a pool of its own with one item at a time: that item is known and retried, and the others continue.
    """

    def __init__(self, count: int) -> None:
        """Allows at most `count` processes; 0: one per core."""
        if count < 0:
            raise ValueError(f"workers is {count}, expected at least 0 (0: one per core)")
        self._count = count or available_cores()
        self._idle: list[ProcessPoolExecutor] = []

    def share_out(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R | WorkerDiedError]]:
        """Calls `work` on every item in a worker; yields (item, result) in order of completion.

        `work`, the items and the results are pickled. Exceptions in `work` are re-raised here.
        """
        waiting = collections.deque(items)
        deaths: collections.Counter[T] = collections.Counter()
        running: dict[Future[R], tuple[ProcessPoolExecutor, T]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._count:
                    item = waiting.popleft()
                    future, process = self._submit(work, item)
                    running[future] = process, item
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    process, item = running.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        process.shutdown()
                        deaths[item] += 1
                        if deaths[item] < ATTEMPTS:
                            waiting.append(item)
                        else:
                            yield item, WorkerDiedError()
                    else:
                        self._idle.append(process)
                        yield item, result
        finally:
            for process, _ in running.values():
                process.shutdown(cancel_futures=True)

    def _submit(self, work: Callable[[T], R], item: T) -> tuple[Future[R], ProcessPoolExecutor]:
        """Submits to an idle process that is still alive, or to a new one."""
        while self._idle:
            process = self._idle.pop()
            try:
                return process.submit(work, item), process
            except BrokenProcessPool:
                process.shutdown()
        process = _new_process()
        return process.submit(work, item), process

    def close(self) -> None:
        """Ends the processes."""
        while self._idle:
            self._idle.pop().shutdown(cancel_futures=True)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def share_out(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[tuple[T, R | WorkerDiedError]]:
    """Runs `Workers.share_out` with `workers` processes, which end with the last item."""
    with Workers(workers) as processes:
        yield from processes.share_out(work, items)


def _new_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Ends this worker if its parent is killed; it would otherwise wait forever and keep its memory."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a terminal sends it to all processes; only the parent reports it
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
