"""Runs of `launch/main.py`, one on each core: small models use one core better than two."""

import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import queue
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from videobert_jax.errors import UserError
from videobert_jax.files import write_text

TAIL = 20  # lines of a failed run's log that are shown


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of `launch/main.py`.

    Attributes:
      folder: its workdir.
      config: ``configs/...py`` with its argument.
      values: of the config, by key.
    """

    folder: pathlib.Path
    config: str
    values: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        """As a user would type it, from the root of the checkout."""
        options = [f"--config.{key}={value}" for key, value in self.values.items()]
        return ["launch/main.py", f"--config={self.config}", f"--workdir={self.folder}", *options]

    @property
    def log(self) -> pathlib.Path:
        """The file of its output."""
        return self.folder / "log.txt"

    @property
    def done(self) -> pathlib.Path:
        """The file of its command and its seconds, written when it has succeeded."""
        return self.folder / "done.json"

    def is_done(self) -> bool:
        """Whether this very command has succeeded."""
        return self.done.exists() and json.loads(self.done.read_text())["command"] == self.command

    def seconds(self) -> float:
        """How long it took. Raises OSError if it has not ended."""
        return float(json.loads(self.done.read_text())["seconds"])


def run_all(runs: Sequence[Run], root: pathlib.Path, together: bool = True) -> None:
    """Runs those that are not done; each goes on where it was interrupted. Prints a line for each.

    Args:
      runs: in the order in which they start.
      root: of the checkout.
      together: as many at once as there are cores, each on its own; else one at a time, on all.

    Raises UserError, with the end of its log, for one that fails; those under way end first.
    """
    todo = [run for run in runs if not run.is_done()]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    free: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for share in [[core] for core in cores] if together else [cores]:
        free.put(share)
    start, ended = time.monotonic(), collections.Counter[str]()

    def one(run: Run) -> None:
        if ended["failed"]:
            return
        share = free.get()
        try:
            _run(run, root, share)
        except UserError:
            ended["failed"] += 1
            raise
        finally:
            free.put(share)
        ended["well"] += 1
        left = (time.monotonic() - start) / ended["well"] * (len(todo) - ended["well"])
        print(f"{ended['well']}/{len(todo)} {run.folder.name}: {run.seconds():.0f} s, {left:.0f} s left", flush=True)

    with concurrent.futures.ThreadPoolExecutor(len(cores) if together else 1) as pool:
        for future in [pool.submit(one, run) for run in todo]:
            future.result()


def _run(run: Run, root: pathlib.Path, cores: Sequence[int]) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with run.log.open("w") as log:
        pinned = [sys.executable, "-c", PINNED, ",".join(map(str, cores)), *run.command]
        code = subprocess.run(pinned, cwd=root, stdout=log, stderr=subprocess.STDOUT).returncode
    if code:
        lines = run.log.read_text(errors="replace").splitlines()[-TAIL:]
        raise UserError("\n".join([f"{run.folder} ended with exit code {code}; the end of {run.log}:", *lines]))
    done = {"command": run.command, "seconds": round(time.monotonic() - start, 1)}
    write_text(run.done, json.dumps(done, indent=2) + "\n")


# Binds a program to cores before it starts its threads.
PINNED = """
import os, runpy, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, map(int, sys.argv[1].split(",")))
sys.argv = sys.argv[2:]
sys.path.insert(0, "launch")
runpy.run_path(sys.argv[0], run_name="__main__")
"""
