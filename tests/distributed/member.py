"""One process of a distributed run, with injected faults. `tiny_run` must be importable.

All are forked from one server that has imported JAX and not yet used it: a start takes no time.
"""

import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import jax
import tiny_run

from videobert_jax.data import batching
from videobert_jax.inference.model import load
from videobert_jax.training import checkpoints, loop, program
from videobert_jax.training.hosts import processes, watchdog
from videobert_jax.training.reporting import journal, writers
from videobert_jax.training.workdir import Workdir

HEARTBEAT_SECONDS = 100
TWO = {"mesh": {"fsdp": 2}}


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault of process `index` after it dispatched `step` and a random time of at most `within` seconds.

    Attributes:
      kind: "SIGTERM", "SIGKILL", "hang" (it takes no more batches), "unreadable" (it cannot restore `step`), or
        "overflow" (the initial state of all processes overflows in the first step).
    """

    kind: str
    index: int
    step: int
    within: float = 0.0


@dataclasses.dataclass(frozen=True)
class Run:
    """A tiny run; `changes` as in `tiny_run.tiny_config`."""

    prepared: pathlib.Path
    workdir: pathlib.Path

    def start(
        self, count: int, fault: Fault | None = None, devices: int = 1, **changes: Any
    ) -> list[multiprocessing.Process]:
        """Starts its processes and returns them; see `output`. With `count` 0, starts one that joins no others."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["member"])
        port = free_port()
        members = [
            context.Process(target=_live, args=(self, count, index, port, fault, devices, changes), daemon=True)
            for index in range(max(count, 1))
        ]
        for member in members:
            member.start()
        return members

    def to_the_end(self, count: int, fault: Fault | None = None, **options: Any) -> list[int | None]:
        """Runs its processes to their ends and returns their exit codes."""
        members = self.start(count, fault, **options)
        for member in members:
            member.join(300)
        codes = [member.exitcode for member in members]
        for member in members:
            member.kill()
        return codes

    def output(self, index: int) -> str:
        return self._log(index).read_text()

    def rows(self) -> dict[int, list[str]]:
        """A digest of every row of the global batch of each step, from the latest processes that drew it."""
        steps: dict[int, tuple[int, dict[int, list[str]]]] = {}
        for path in sorted(self.workdir.parent.glob(f"{self.workdir.name}-rows-*.jsonl"), key=os.path.getmtime):
            for line in path.read_text().splitlines():
                drawn = json.loads(line)
                if drawn["step"] not in steps or steps[drawn["step"]][0] != drawn["blocks"]:
                    steps[drawn["step"]] = (drawn["blocks"], {})
                steps[drawn["step"]][1][drawn["block"]] = drawn["rows"]
        return {step: [row for block in sorted(by) for row in by[block]] for step, (_, by) in sorted(steps.items())}

    def losses(self) -> list[dict[str, Any]]:
        """The lines of the log without their times."""
        lines = writers.read(Workdir(self.workdir).metrics)
        return [{key: value for key, value in line.items() if key != "timing"} for line in lines]

    def saved(self) -> list[int]:
        """The steps of its checkpoints."""
        return sorted(int(path.name) for path in (self.workdir / "checkpoints").iterdir() if path.name.isdigit())

    @property
    def turns(self) -> pathlib.Path:
        return self.workdir.parent / f"{self.workdir.name}-turns"

    def _log(self, index: int) -> pathlib.Path:
        return self.workdir.parent / f"{self.workdir.name}-{index}.log"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _live(run: Run, count: int, index: int, port: int, fault: Fault | None, devices: int, changes: Any) -> None:
    # Compilation takes most of the time, and optimisation half of that.
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    log = os.open(run._log(index), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if fault and fault.kind == "hang":
        _be_impatient(fault.step)
    if fault and fault.kind == "overflow":
        _overflow()
    elif fault and fault.index == index:
        _prepare_for(fault)
    if count:
        processes.join(f"127.0.0.1:{port}", count, index, 120, HEARTBEAT_SECONDS)
    loop.measure_peak = lambda mesh, dtype: 1e9  # slow, and only used to report the speed
    batching.batches = functools.partial(_noted, batching.batches, run, count, index)
    config = tiny_run.tiny_config(run.prepared.parent / "cache", **changes)
    with processes.ending_together():
        processes.first_before_others(lambda: _take_turn(run, index))
        tiny_run.train(config, run.workdir, run.prepared)
        if index == 0:
            load(run.workdir)  # must not wait for the others
        processes.leave_together("the first has read")


def _take_turn(run: Run, index: int) -> int:
    """Slow in the first process, as preparing is."""
    time.sleep(0.5 if index == 0 else 0.0)
    with run.turns.open("a") as file:
        file.write(f"{index}")
    return index


def _noted(batches: Any, run: Run, count: int, index: int, data: Any, start: int, config: Any) -> Iterator[Any]:
    """The batches; writes a digest of each row beside the workdir."""
    with (run.workdir.parent / f"{run.workdir.name}-rows-{count}-{index}.jsonl").open("a") as file:
        for step, batch in enumerate(batches(data, start, config), start + 1):
            size = len(batch["token_ids"])
            rows = [
                hashlib.sha256(b"".join(array[row].tobytes() for array in batch.values())).hexdigest()
                for row in range(size)
            ]
            blocks = config.batch_size // size
            file.write(json.dumps({"step": step, "block": index % blocks, "blocks": blocks, "rows": rows}) + "\n")
            file.flush()
            yield batch


def _be_impatient(step: int) -> None:
    """From this step on, ten seconds without progress count as a hang; earlier steps may be slow."""
    at = watchdog.Watchdog.at

    def impatient(self: Any, now: int) -> None:
        at(self, now)
        if now >= step:
            self._hang_seconds = 10.0

    watchdog.Watchdog.at = impatient


def _overflow() -> None:
    init = program.Program.init

    def overflowing(self: Any, *rows: Any) -> Any:
        state = init(self, *rows)
        return state.replace(params=jax.tree.map(lambda x: x * 1e15, state.params))

    program.Program.init = overflowing


def _prepare_for(fault: Fault) -> None:
    dispatched, restore_step = journal.Journal.dispatched, checkpoints.Checkpoints.restore_step

    def befallen(self: Any, step: int, metrics: Any) -> None:
        dispatched(self, step, metrics)
        if step != fault.step:
            return
        if fault.kind == "hang":
            time.sleep(1000)
        strike = functools.partial(os.kill, os.getpid(), getattr(signal, fault.kind))
        threading.Timer(random.random() * fault.within, strike).start() if fault.within else strike()

    def unreadable(self: Any, step: int, abstract: Any) -> Any:
        if step == fault.step:
            raise ValueError("a part is damaged")
        return restore_step(self, step, abstract)

    if fault.kind == "unreadable":
        checkpoints.Checkpoints.restore_step = unreadable
    else:
        journal.Journal.dispatched = befallen
