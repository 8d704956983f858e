"""Detects hanging processes, for which all others would wait silently and indefinitely.

Every process writes its progress to `<index>.json` in a shared folder. A process without progress for too long prints
which process is furthest behind and the stacks of its own threads, and exits; so do the others, which waited as long.
"""

import contextlib
import faulthandler
import json
import os
import pathlib
import socket
import sys
import threading
import time
from typing import Any

import jax

from videobert_jax.files import write_text
from videobert_jax.training.hosts import processes

HANG_SECONDS = 900.0  # longer than any compilation, evaluation or checkpoint should take
EXIT_CODE = os.EX_SOFTWARE  # 70
TICK = 1.0  # seconds
TELLING = 3  # ticks between the message and the exit


class Watchdog:
    """A context with a thread that watches the progress of this process."""

    def __init__(self, folder: pathlib.Path, hang_seconds: float = HANG_SECONDS) -> None:
        """`hang_seconds` limits each step, and everything before the first; 0: no limit."""
        self._folder, self._step, self._hang_seconds = folder, 0, hang_seconds
        self._tick = min(TICK, hang_seconds / 4) or TICK
        self._index, self._count = jax.process_index(), jax.process_count()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._folder.mkdir(exist_ok=True)
        self._write()
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        self._thread.join()
        if error is not None:
            if self._count > 1 and isinstance(error, jax.errors.JaxRuntimeError):
                self._write()
                print(self._account(), file=sys.stderr)
            processes.leave(error)

    def at(self, step: int) -> None:
        """Records that this process begins `step`."""
        self._step = step

    def _watch(self) -> None:
        # Counts ticks instead of reading the clock: a stopped process or a sleeping laptop does not hang.
        written, ticks = self._step, 0
        while not self._over.wait(self._tick):
            ticks += 1
            if self._step != written:
                written, ticks = self._step, 0
                self._write()
            if 0 < self._hang_seconds <= ticks * self._tick:
                self._end()

    def _end(self) -> None:
        problem = f"no progress for {self._hang_seconds:g} s (--hang_seconds)"
        print(f"process {self._index} of {self._count}: {problem}. {self._account()}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(file=2)  # standard error, even if sys.stderr is redirected
        time.sleep(TELLING * self._tick)  # exiting ends the others, which need time to print their messages
        os._exit(EXIT_CODE)

    def _write(self) -> None:
        status = {"step": self._step, "host": socket.gethostname(), "pid": os.getpid()}
        path = self._folder / f"{self._index}.json"
        with contextlib.suppress(OSError):  # the run does not depend on this file
            write_text(path, json.dumps(status), durable=False)

    def _account(self) -> str:
        status = {index: self._read(index) for index in range(self._count)}
        steps = {index: one["step"] for index, one in status.items()}
        last, newest = min(steps.values()), max(steps.values())
        if last == newest:
            return f"All processes are at step {last}: something they share hangs or failed, or this process itself"
        behind = ", ".join(
            f"process {index} ({status[index]['host']}, pid {status[index]['pid']}), at step {steps[index]}"
            for index in steps
            if steps[index] == last
        )
        return f"Furthest behind: {behind}; others are at step {newest}"

    def _read(self, index: int) -> dict[str, Any]:
        try:
            return json.loads((self._folder / f"{index}.json").read_text())
        except (OSError, ValueError):
            return {"step": -1, "host": "unknown", "pid": "unknown"}
