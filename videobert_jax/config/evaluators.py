"""The sections of `evaluators`: the evaluations on held-out videos, and when they run.

The key of a section selects its class from `EVALUATORS`, which other packages may extend.
"""

import dataclasses

from videobert_jax.config.rules import COUNT, Interval, setting


@dataclasses.dataclass(frozen=True)
class Template:
    """The rule for a sentence with two blanks."""

    def __contains__(self, value: str) -> bool:
        return value.count("[MASK]") == 2

    def __str__(self) -> str:
        return "a sentence with two [MASK], for the verb and the object"


@dataclasses.dataclass(frozen=True)
class EvaluatorConfig:
    """The fields of every evaluator."""

    every: int = setting(0, Interval(0))  # steps; 0: only after training


@dataclasses.dataclass(frozen=True)
class HeldOutConfig(EvaluatorConfig):
    """The task's losses and accuracies on held-out batches."""

    every: int = setting(1000, Interval(0))
    batches: int = setting(8, COUNT)


@dataclasses.dataclass(frozen=True)
class ZeroShotConfig(EvaluatorConfig):
    """Zero-shot prediction of verbs and objects for held-out videos (VideoBERT, section 4.4)."""

    template: str = setting("now let me show you how to [MASK] the [MASK]", Template())


def default_evaluators() -> dict[str, EvaluatorConfig]:
    """Returns the default sections."""
    return {"held_out": HeldOutConfig(), "zero_shot": ZeroShotConfig()}


EVALUATORS: dict[str, type[EvaluatorConfig]] = {"held_out": HeldOutConfig, "zero_shot": ZeroShotConfig}
