"""Evaluators: what each is, which a config asks for, and when they run."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from videobert_jax.config import Config
from videobert_jax.data.prepared import Prepared
from videobert_jax.evaluation import held_out, zero_shot
from videobert_jax.evaluation.result import Result
from videobert_jax.files import write_text
from videobert_jax.inference.model import Model
from videobert_jax.tasks.task import Task
from videobert_jax.training.evaluators import Build, Evaluator, Evaluators, Measure
from videobert_jax.training.program import Program
from videobert_jax.training.workdir import Workdir


class Kind(NamedTuple):
    """A kind of evaluator.

    Attributes:
      evaluate: (model, prepared folder, its section of the config) -> result, on held-out data.
      build: how the loop runs it, where there is a better way than by a `Model`.
    """

    evaluate: Callable[[Model, Prepared, Any], Result]
    build: Callable[[Config, Task, Prepared, Any], Build] | None = None


KINDS: Mapping[str, Kind] = {
    "held_out": Kind(held_out.evaluate, held_out.build),
    "zero_shot": Kind(zero_shot.evaluate),
}


def for_training(config: Config, task: Task, prepared: Prepared) -> Evaluators:
    """The evaluators that run while a model is trained: those with an `every`."""
    due = {name: section for name, section in config.evaluators.items() if section.every}
    return {
        name: Evaluator(section.every, _build(KINDS[name], config, task, prepared, section))
        for name, section in due.items()
    }


def at_end(model: Model, workdir: Workdir, prepared: Prepared) -> dict[str, Result]:
    """Runs the other evaluators, and writes the details of each to its file in the workdir."""
    results = {}
    for name, section in model.config.evaluators.items():
        if not section.every:
            results[name] = KINDS[name].evaluate(model, prepared, section)
            text = json.dumps(results[name].details, indent=2, allow_nan=False) + "\n"
            write_text(workdir.evaluation(name), text)
    return results


def _build(kind: Kind, config: Config, task: Task, prepared: Prepared, section: Any) -> Build:
    if kind.build:
        return kind.build(config, task, prepared, section)

    def build(program: Program) -> Measure:
        def measure(params: Any) -> Mapping[str, float]:
            return kind.evaluate(Model(config, task, params, prepared), prepared, section).metrics

        return measure

    return build
