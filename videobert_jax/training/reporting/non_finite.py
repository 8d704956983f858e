"""Non-finite steps: they end the run, after a report is written."""

import contextlib
import json
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from videobert_jax.data.batching import Example
from videobert_jax.files import write_text
from videobert_jax.objectives.objective import Metrics
from videobert_jax.training.reporting import module_norms
from videobert_jax.training.reporting.writers import means


class NonFiniteError(FloatingPointError):
    """A metric is not finite; all processes raise this together.

    Attributes:
      step: the number of the update.
      values: the mean of every metric.
      gradients: float32 [M], norms as in `module_norms.vector`; None if it occurred in an evaluation.
      parameters: likewise, before the update; also None for the first step of this process.
    """

    def __init__(
        self, step: int, values: dict[str, float], gradients: np.ndarray | None, parameters: np.ndarray | None
    ) -> None:
        broken = ", ".join(f"{name} is {value}" for name, value in values.items() if not math.isfinite(value))
        super().__init__(
            f"step {step}: {broken}. Nothing of this step is saved; non_finite.json in the workdir has its "
            "examples and norms. Start over in another --workdir with a lower optimizer.learning_rate, a longer "
            "optimizer.warmup_steps or a smaller optimizer.clip_norm above 0; JAX_DEBUG_NANS=1 shows where it arises"
        )
        self.step, self.values, self.gradients, self.parameters = step, values, gradients, parameters


def finite_means(step: int, metrics: Metrics, before: Metrics | None = None) -> dict[str, float]:
    """The mean of every metric on the host; raises NonFiniteError if one is not finite.

    `before` are the metrics of the previous step, for the report.
    """
    values = means(metrics)
    if not all(map(math.isfinite, values.values())):
        gradients = np.split(np.asarray(metrics["norms"][0]), 2)[0] if "norms" in metrics else None
        parameters = np.split(np.asarray(before["norms"][0]), 2)[1] if before else None
        raise NonFiniteError(step, values, gradients, parameters)
    return values


def require_finite(step: int, values: Mapping[str, float]) -> None:
    """Raises NonFiniteError if a metric of an evaluation is not finite."""
    if not all(map(math.isfinite, values.values())):
        raise NonFiniteError(step, dict(values), None, None)


@contextlib.contextmanager
def written_down(
    path: pathlib.Path, examples_of: Callable[[int], Sequence[Sequence[Example]]], params: Any
) -> Iterator[None]:
    """Writes a JSON report if the body raises NonFiniteError.

    Its keys: `step`; `metrics`; `examples`, for each row of the batch the video and the first clip of its records; and
    the norms by module, `gradients` and `parameters` before the update, as lists for the layers of the encoder. Numbers
    that are not finite become strings, since JSON has none.

    Args:
      path: of the report.
      examples_of: from a step, counted from 0, to the examples of each row of its batch.
      params: a tree with the structure of the parameters, of arrays or shapes.
    """
    try:
        yield
    except NonFiniteError as error:
        if jax.process_index() == 0:
            report = {"step": error.step, "metrics": error.values}
            if error.gradients is not None:
                report |= {
                    "examples": [[_named(example) for example in row] for row in examples_of(error.step - 1)],
                    "gradients": module_norms.named(params, error.gradients),
                }
            if error.parameters is not None:
                report["parameters"] = module_norms.named(params, error.parameters)
            write_text(path, json.dumps(_in_words(report), indent=1) + "\n")
        raise


def _named(example: Example) -> dict[str, Any]:
    return {"video": example.video_id, "start_clip": example.start_clip}


def _in_words(value: Any) -> Any:
    """Replaces numbers that are not finite by "nan", "inf" and "-inf"."""
    match value:
        case dict():
            return {key: _in_words(one) for key, one in value.items()}
        case list():
            return [_in_words(one) for one in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value
