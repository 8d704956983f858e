"""Goodput: the share of a run's time that its steps took, and what took the rest, over all starts of it.

Every second of a process is of one phase:
  restart: from its start to its first step, but for compiling: joining the others, finding the data, restoring;
  compile: the step and the evaluation;
  input: waiting for a batch and placing it, if the devices had nothing left to do by then;
  step: all other time of the loop, in which the host waits for the devices;
  checkpoint, evaluation: what the loop waits for them.
A step that is done again, because a process was killed after its last checkpoint, was of no use: it is `lost`.
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

MOST = 1e15  # no run has so many steps or seconds
PHASES = ("step", "input", "compile", "checkpoint", "evaluation", "restart")


def process_age() -> float:
    """Seconds since this process began, what was imported until now included; 0 where Linux's /proc is not."""
    try:
        began = int(pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")


class Clock:
    """Gives every second to the phase that it is in."""

    def __init__(self, before: float = 0.0) -> None:
        """Starts in the phase "restart", of which `before` seconds have passed."""
        self._seconds = dict.fromkeys(PHASES, 0.0) | {"restart": before}
        self._phase, self._since = "restart", time.perf_counter()

    @contextlib.contextmanager
    def on(self, phase: str, hidden: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """The body is of that phase, but for what it gives to others; of the phase around it if in the end `hidden`."""
        outer = self._phase
        self._turn_to(phase)
        try:
            yield
        finally:
            if hidden():
                self._phase = outer
            self._turn_to(outer)

    def read(self) -> dict[str, float]:
        """The seconds of every phase until now."""
        self._turn_to(self._phase)
        return dict(self._seconds)

    def _turn_to(self, phase: str) -> None:
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now


@dataclasses.dataclass
class Attempt:
    """What one process, from its start to its end, did for the run: steps `first` + 1 to `last`, in so many seconds."""

    first: int
    last: int
    seconds: dict[str, float]


class Goodput:
    """The attempts of a run, in a JSON file; the first of several processes reports for all."""

    def __init__(self, path: pathlib.Path, done: int, clock: Clock) -> None:
        """An attempt begins with `done` updates made."""
        self._path, self._clock = path, clock
        attempts = _read(self._path)
        self._before, self._damaged = attempts or [], attempts is None
        self._attempt = Attempt(done, done, clock.read())

    def at(self, step: int) -> float:
        """Writes how far this attempt is, and returns the goodput of the run so far.

        A damaged file is kept as `<name>.damaged`, with a warning, and a new one begins.
        """
        if self._damaged:
            kept = self._path.with_name(self._path.name + ".damaged")
            logging.warning(
                "%s is damaged: it becomes %s, and the account of the run begins anew", self._path, kept.name
            )
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
        rest = ", ".join(f"{phase} {share:.1%}" for phase, share in parts if phase != "step" and share >= 0.0005)
        total = sum(sum(attempt.seconds.values()) for attempt in attempts)
        starts = f"{len(attempts)} start{'s' * (len(attempts) > 1)}"
        return f"goodput {shares(attempts)['step']:.1%} of {total:,.0f} s in {starts}; {rest}"


def read(path: pathlib.Path) -> list[Attempt]:
    """The attempts of a run, the first first; none if they are not known."""
    return _read(path) or []


def shares(attempts: Sequence[Attempt]) -> dict[str, float]:
    """The share of every phase, and of "lost", in the time of all attempts; their sum is 1."""
    seconds = {phase: sum(attempt.seconds.get(phase, 0.0) for attempt in attempts) for phase in PHASES}
    lost = sum(_lost(attempt, next_attempt) for attempt, next_attempt in itertools.pairwise(attempts))
    seconds |= {"step": seconds["step"] - lost, "lost": lost}
    total = sum(seconds.values()) or 1.0
    return {phase: of / total for phase, of in seconds.items()}


def _read(path: pathlib.Path) -> list[Attempt] | None:
    """The attempts written there; None if they are damaged, for a run does not depend on its account."""
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
    """Seconds of the steps that the next attempt does again."""
    again = max(attempt.last - max(next_attempt.first, attempt.first), 0)
    return again * attempt.seconds["step"] / max(attempt.last - attempt.first, 1)
