"""The interface between the loop and evaluators."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from videobert_jax.training.program import Program

Measure = Callable[[Any], Mapping[str, float]]  # parameters on the mesh -> metrics; every process calls it
Build = Callable[[Program], Measure]  # called before the first step, to compile ahead of time


class Evaluator(NamedTuple):
    """An evaluator of a run.

    Attributes:
      every: steps between two evaluations; 0: only after the run, outside the loop.
      build: makes the measure for the program of the run.
    """

    every: int
    build: Build


Evaluators = Mapping[str, Evaluator]
