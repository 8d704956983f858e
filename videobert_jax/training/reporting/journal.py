"""Checks the metrics of every step, logs some, and shows the progress."""

from collections.abc import Mapping
from typing import Any

import jax

from videobert_jax.objectives.objective import Metrics
from videobert_jax.training.reporting.console import Console
from videobert_jax.training.reporting.goodput import Goodput
from videobert_jax.training.reporting.non_finite import finite_means, require_finite
from videobert_jax.training.reporting.throughput import Meter
from videobert_jax.training.reporting.writers import MetricsWriter
from videobert_jax.training.workdir import Workdir


class Journal:
    """Reads the metrics of a step after the next one is dispatched, so that the devices never wait for the host."""

    def __init__(self, workdir: Workdir, done: int, steps: int, log_every: int, meter: Meter, goodput: Goodput) -> None:
        """Opens the journal after `done` of `steps` updates; only the first process writes it."""
        self._done, self._steps, self._log_every = done, steps, log_every
        self._meter, self._goodput = meter, goodput
        first = jax.process_index() == 0
        self._writer = MetricsWriter(workdir.metrics, workdir.tensorboard, done) if first else None
        if first:
            goodput.at(done)  # counts the time of a process that is killed before it logs
        self._console = Console(done, steps, shown=first)
        self._pending: tuple[int, Metrics] | None = None
        self._before: Metrics | None = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self._console.close()
        if self._writer:
            self._writer.close()
            self._goodput.at(self._done)
            self.say(f"train: {self._goodput}")

    def dispatched(self, step: int, metrics: Metrics) -> None:
        """Takes the metrics of a dispatched step, and reports those of the step before."""
        self.catch_up()
        self._pending = (step, metrics)

    def under_way(self) -> bool:
        """Whether the devices are still computing the newest step."""
        if self._pending is None:
            return False
        loss: Any = self._pending[1]["loss"][0]  # JAX's type stubs lack is_ready
        return not loss.is_ready()

    def catch_up(self) -> None:
        """Waits for the newest step and reports it. Raises NonFiniteError if a metric is not finite."""
        if self._pending is None:
            return
        step, metrics = self._pending
        self._pending = None
        metrics = jax.device_get(metrics)
        values = finite_means(step, metrics, self._before)
        self._before = metrics
        self._done = step
        self._meter.add(float(metrics["fill"][0]))
        if step % self._log_every == 0 or step == self._steps:
            timing = self._meter.read()
            if self._writer:
                timing["goodput"] = self._goodput.at(step)
            self._write(step, values, timing)
            self._console.update(step, values, timing)

    def evaluated(self, step: int, name: str, metrics: Mapping[str, float]) -> None:
        """Writes the metrics of an evaluator as `name/key`. Raises NonFiniteError if one is not finite."""
        require_finite(step, metrics)
        self._write(step, {f"{name}/{key}": value for key, value in metrics.items()}, {})
        if "loss" in metrics:
            self.say(f"step {step}: {name} loss {metrics['loss']:.4f}")

    def sync(self) -> None:
        """Flushes all lines to disk, as must happen before a checkpoint of the same step."""
        if self._writer:
            self._writer.sync()

    def say(self, text: str) -> None:
        """Prints a line on the console."""
        self._console.say(text)

    def _write(self, step: int, values: dict[str, float], timing: dict[str, float]) -> None:
        if self._writer:
            self._writer.write(step, values, timing)
