"""The metrics of a task's objective on held-out batches, which are drawn as those of training are."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from videobert_jax.config import Config, HeldOutConfig
from videobert_jax.data.batching import RowMaker, validation_batches
from videobert_jax.data.prepared import VALIDATION, Prepared
from videobert_jax.evaluation.result import Result
from videobert_jax.inference.model import Model
from videobert_jax.objectives.objective import Metrics
from videobert_jax.tasks.task import Task
from videobert_jax.training import sharding
from videobert_jax.training.evaluators import Build, Measure
from videobert_jax.training.program import Program
from videobert_jax.training.step import make_eval_step


def measure(metrics: Callable[[Any], Metrics], batches: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of every metric over all batches together; one without any example is left out.

    Aligned and misaligned pairs are as frequent as `misaligned` of the config makes them: equally, by default, so that
    guessing is right half of the time.

    Args:
      metrics: a batch to (sum, count) pairs.
      batches: any number.
    """
    totals: dict[str, np.ndarray] = {}
    for batch in batches:
        for name, pair in jax.device_get(metrics(batch)).items():
            totals[name] = totals.get(name, 0) + np.asarray(pair, np.float64)
    return {name: float(total / count) for name, (total, count) in totals.items() if count}


def total(means: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted sum of the losses `loss/<name>`; one that nothing belongs to is 0."""
    return sum(weight * means.get(f"loss/{name}", 0.0) for name, weight in weights.items())


def evaluate(model: Model, prepared: Prepared, section: HeldOutConfig, split: str = VALIDATION) -> Result:
    """The metrics of a model on batches of a split, on this process's devices."""
    task, config = model.task, model.config.data
    examples = task.examples(prepared, split)
    batches = validation_batches(examples, task.row, task.group, config, section.batches)
    step = jax.jit(make_eval_step(task.network, task.objective))
    means = measure(lambda batch: step(model.params, batch), batches)
    return Result(means, means)


def on_mesh(
    program: Program, config: Config, task: Task, prepared: Prepared, row: RowMaker[Any], count: int
) -> list[dict[str, jax.Array]]:
    """Held-out batches of a task, made by `row` and split over the mesh of a program."""
    mesh, size = program.mesh, config.data.batch_size
    rows = sharding.rows_of_process(mesh, size, config.optimizer.accumulation)
    drawn = validation_batches(task.examples(prepared, VALIDATION), row, task.group, config.data, count, rows)
    return [sharding.to_global(batch, rows, mesh, size) for batch in drawn]


def build(config: Config, task: Task, prepared: Prepared, section: HeldOutConfig) -> Build:
    """The same for the loop, on batches that are split over the mesh."""

    def for_program(program: Program) -> Measure:
        placed = on_mesh(program, config, task, prepared, task.row, section.batches)
        step = program.compile_eval_step()

        def measured(params: Any) -> dict[str, float]:
            means = measure(lambda batch: step(params, batch), placed)
            return {"loss": total(means, program.objective.weights), **means}

        return measured

    return for_program
