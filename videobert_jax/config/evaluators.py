"""The sections of `evaluators`: what is asked about held-out videos, and when.

The key of a section chooses its class from a table, which other packages may add to.
"""

import dataclasses

from videobert_jax.config.rules import COUNT, Interval, setting


@dataclasses.dataclass(frozen=True)
class Template:
    """The rule of a sentence with two blanks."""

    def __contains__(self, value: str) -> bool:
        return value.count("[MASK]") == 2

    def __str__(self) -> str:
        return "a sentence with two [MASK], for the verb and the object"


@dataclasses.dataclass(frozen=True)
class EvaluatorConfig:
    """What every evaluator has."""

    every: int = setting(0, Interval(0))  # steps; 0: when the run has ended


@dataclasses.dataclass(frozen=True)
class HeldOutConfig(EvaluatorConfig):
    """The task's losses and accuracies on held-out batches."""

    every: int = setting(1000, Interval(0))
    batches: int = setting(8, COUNT)


@dataclasses.dataclass(frozen=True)
class ZeroShotConfig(EvaluatorConfig):
    """Which verb and which object the model fills in beside held-out videos (VideoBERT, section 4.4)."""

    template: str = setting("now let me show you how to [MASK] the [MASK]", Template())


def default_evaluators() -> dict[str, EvaluatorConfig]:
    """Those of a config that names none."""
    return {"held_out": HeldOutConfig(), "zero_shot": ZeroShotConfig()}


EVALUATORS: dict[str, type[EvaluatorConfig]] = {"held_out": HeldOutConfig, "zero_shot": ZeroShotConfig}
