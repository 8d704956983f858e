"""Classes of segments of video, with probabilities that are founded."""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from videobert_jax.config import LabelledConfig
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.errors import DamagedError, UserError
from videobert_jax.inference.examples import over
from videobert_jax.metrics import labels
from videobert_jax.tasks.labelled import names_of
from videobert_jax.training.workdir import Workdir

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has these functions as methods

EVALUATOR = "classification"  # whose details hold the calibration of a workdir


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What is chosen on the validation split.

    Attributes:
      temperature: by which logits are divided; above 1 for a model that is too sure.
      thresholds: float64 [C], the least probability at which a segment has a class, if it may have several.
    """

    temperature: float
    thresholds: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        """For JSON, in which a threshold that is never reached is null."""
        known = [float(one) if np.isfinite(one) else None for one in self.thresholds]
        return {"temperature": self.temperature, "thresholds": known}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Calibration":
        """The inverse of `as_dict`."""
        thresholds = [np.inf if one is None else one for one in fields["thresholds"]]
        return cls(float(fields["temperature"]), np.array(thresholds, np.float64))


def logits_of(model: "Model", examples: Sequence[Labelled]) -> np.ndarray:
    """Float32 [n, C]. Raises UserError for a model that has no classes."""
    if "labels" not in model.task.row.shapes:
        raise UserError(
            f"this model was trained for config.task.name={model.config.task.name!r} and knows no classes; load one "
            "that was trained for classification or answering"
        )
    return over(model, examples, lambda outputs: outputs.logits)


def probabilities(logits: np.ndarray, multiple: bool, temperature: float = 1.0) -> np.ndarray:
    """Float64 [n, C]: of each class by itself, or of all together."""
    scaled = logits.astype(np.float64) / temperature
    return special.expit(scaled) if multiple else special.softmax(scaled, axis=1)


def calibrate(logits: np.ndarray, truth: np.ndarray, multiple: bool) -> Calibration:
    """Chooses by logits [n, C] and truth bool [n, C] of the validation split.

    A class that does not occur there has the threshold 1/2.
    """
    temperature = labels.temperature(logits, truth, multiple)
    found = probabilities(logits, multiple, temperature)
    thresholds = [
        labels.best_threshold(found[:, one], truth[:, one]) if truth[:, one].any() else 0.5
        for one in range(logits.shape[1])
    ]
    return Calibration(temperature, np.array(thresholds))


def calibration_of(model: "Model") -> Calibration:
    """What the evaluation of a run has chosen; without one, logits as they are and thresholds of 1/2."""
    key = f"{EVALUATOR}_of_{model.part_of}" if model.part_of else EVALUATOR
    path = Workdir(model.lexicon.folder).evaluation(key)
    if not path.exists():
        return Calibration(1.0, np.full(len(classes(model)), 0.5))
    try:
        return Calibration.from_dict(json.loads(path.read_text())["calibration"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is damaged ({error!r}); evaluate the run again, with launch/evaluate.py") from error


def classes(model: "Model") -> tuple[str, ...]:
    """The names of a model's classes."""
    section = model.config.task
    assert isinstance(section, LabelledConfig)
    return names_of(section)
