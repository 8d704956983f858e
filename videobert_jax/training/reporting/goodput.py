"""Goodput: the share of a run's time spent in steps, and the shares of other phases, over all starts of the run.

Every second of a process belongs to one phase:
  restart: from its start to its first step, except compilation: joining, finding the data, restoring;
  compile: compiling the step and the evaluation;
  input: loading and placing a batch while the devices are idle;
  step: all other time of the loop, in which the host waits for the devices;
  checkpoint, evaluation: the time that the loop waits for them.
Steps that are repeated, because a process was killed after its last checkpoint, count as `lost`.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import logging

from videobert_jax.files import write_text

MOST = 1e15  # upper bound of plausible steps and seconds
PHASES = ("step", "input", "compile", "checkpoint", "evaluation", "restart")
SHOWN = {"restart": "start-up"}  # the first start has it too; the file keeps the older name


def process_age() -> float:
    """Seconds since this process started, imports included; 0 where there is no /proc."""
    try:
        began = int(pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")


class Clock:
    """Measures the seconds of each phase."""

    def __init__(self, before: float = 0.0) -> None:
        """Starts in the phase "restart", with `before` seconds already spent."""
        self._seconds = dict.fromkeys(PHASES, 0.0) | {"restart": before}
        self._phase, self._since = "restart", time.perf_counter()

    @contextlib.contextmanager
    def on(self, phase: str, hidden: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Counts the body as `phase`, except nested phases; as the enclosing phase if `hidden` holds at its end."""
        outer = self._phase
        self._turn_to(phase)
        try:
            yield
        finally:
            if hidden():
                self._phase = outer
            self._turn_to(outer)

    def read(self) -> dict[str, float]:
        """The seconds of each phase until now."""
        self._turn_to(self._phase)
        return dict(self._seconds)

    def _turn_to(self, phase: str) -> None:
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now


@dataclasses.dataclass
class Attempt:
    """One start of the process: it made steps `first` + 1 to `last`; `seconds` by phase."""

    first: int
    last: int
    seconds: dict[str, float]


class Goodput:
    """The attempts of a run, in a JSON file of the first process; the current one begins after `done` updates."""

    def __init__(self, path: pathlib.Path, done: int, clock: Clock) -> None:
        self._path, self._clock = path, clock
        attempts = _read(self._path)
        self._before, self._damaged = attempts or [], attempts is None
        self._attempt = Attempt(done, done, clock.read())

    def at(self, step: int) -> float:
        """Writes the progress of this attempt, and returns the goodput of the run so far, 0 to 1.

        Renames a damaged file to `<name>.damaged`, with a warning, and starts a new one.
        """
        if self._damaged:
            kept = self._path.with_name(self._path.name + ".damaged")
            logging.warning("%s is damaged and is renamed to %s; a new record begins", self._path, kept.name)
            self._path.replace(kept)
            self._damaged = False
        self._attempt = Attempt(self._attempt.first, step, self._clock.read())
        attempts = [*self._before, self._attempt]
        text = json.dumps([dataclasses.asdict(attempt) for attempt in attempts], indent=1) + "\n"
        write_text(self._path, text, durable=False)
        return shares(attempts)["step"]

    def __str__(self) -> str:
        attempts = [*self._before, self._attempt]
        parts = sorted(shares(attempts).items(), key=lambda part: -part[1])
        others = [(SHOWN.get(phase, phase), share) for phase, share in parts if phase != "step" and share >= 0.0005]
        rest = ", ".join(f"{name} {share:.1%}" for name, share in others)
        total = sum(sum(attempt.seconds.values()) for attempt in attempts)
        starts = f"{len(attempts)} start{'s' * (len(attempts) > 1)}"
        return f"goodput {shares(attempts)['step']:.1%} of {total:,.0f} s in {starts}; {rest}"


def read(path: pathlib.Path) -> list[Attempt]:
    """The attempts of a run, oldest first; empty if the file is missing or damaged."""
    return _read(path) or []


def shares(attempts: Sequence[Attempt]) -> dict[str, float]:
    """The share of each phase, and of "lost", in the time of all attempts; they sum to 1."""
    seconds = {phase: sum(attempt.seconds.get(phase, 0.0) for attempt in attempts) for phase in PHASES}
    lost = sum(_lost(attempt, next_attempt) for attempt, next_attempt in itertools.pairwise(attempts))
    seconds |= {"step": seconds["step"] - lost, "lost": lost}
    total = sum(seconds.values()) or 1.0
    return {phase: of / total for phase, of in seconds.items()}


def _read(path: pathlib.Path) -> list[Attempt] | None:
    """The attempts in the file; empty if it does not exist, None if it is damaged."""
    try:
        attempts = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError):
        return None
    return (
        [Attempt(**attempt) for attempt in attempts]
        if isinstance(attempts, list) and all(map(_is_attempt, attempts))
        else None
    )


def _is_attempt(attempt: Any) -> bool:
    if not (isinstance(attempt, dict) and attempt.keys() == {"first", "last", "seconds"}):
        return False
    first, last, seconds = attempt["first"], attempt["last"], attempt["seconds"]
    if not (type(first) is type(last) is int and 0 <= first <= last < MOST):
        return False
    if not (isinstance(seconds, dict) and "step" in seconds):
        return False
    return all(type(of) in (int, float) and 0 <= of < MOST for of in seconds.values())


def _lost(attempt: Attempt, next_attempt: Attempt) -> float:
    """Seconds of the steps that the next attempt repeats."""
    again = max(attempt.last - max(next_attempt.first, attempt.first), 0)
    return again * attempt.seconds["step"] / max(attempt.last - attempt.first, 1)
