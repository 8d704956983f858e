"""The interface between the loop and evaluators."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from videobert_jax.errors import ConfigError
from videobert_jax.training.program import Program

Measure = Callable[[Any], Mapping[str, float]]  # parameters on the mesh -> metrics; every process calls it
Build = Callable[[Program], Measure]  # called before the first step, to compile ahead of time


class Evaluator(NamedTuple):
    """An evaluator of a run.

    Attributes:
      every: steps between two evaluations, at least 1.
      build: makes the measure for the program of the run.
    """

    every: int
    build: Build


Evaluators = Mapping[str, Evaluator]


def score_of(name: str, metrics: Mapping[str, float]) -> tuple[float | None, ConfigError | None]:
    """The metric that ranks checkpoints, "evaluator/metric", or the error that names those that its evaluator has."""
    evaluator, _, metric = name.partition("/")
    if metric not in metrics:
        return None, ConfigError(
            f"config.checkpoint.metric is {name!r}, but {evaluator} measures {', '.join(sorted(metrics))}; set "
            f"--config.checkpoint.metric={evaluator}/METRIC to one of these"
        )
    return metrics[metric], None
