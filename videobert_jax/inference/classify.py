"""Classes of segments of video, with calibrated probabilities."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import special

from videobert_jax.config import AnsweringConfig, LabelledConfig
from videobert_jax.data.prepared import VALIDATION
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.data.segments import Segment, evenly_spaced
from videobert_jax.errors import DamagedError, UserError
from videobert_jax.inference.examples import over
from videobert_jax.metrics import labels
from videobert_jax.tasks.labelled import names_of

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has these functions as methods

POINTS = 100  # of a class's curve, at most


class Class(NamedTuple):
    """A class of a segment, and its probability."""

    name: str
    probability: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What is chosen on the validation split.

    Attributes:
      temperature: by which logits are divided; above 1 for a model that is too sure.
      thresholds: float64 [C], the least probability at which a segment has a class, if it may have several.
      curves: of each class float64 [n, 3], the thresholds, precisions and recalls of `labels.frontier`, at most
        `POINTS` of them; n is 0 for a class that does not occur. Empty: they are not known.
    """

    temperature: float
    thresholds: np.ndarray
    curves: tuple[np.ndarray, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON, in which a threshold that is never reached is null."""
        known = [float(one) if np.isfinite(one) else None for one in self.thresholds]
        curves = [curve.tolist() for curve in self.curves]
        return {"chosen_on": VALIDATION, "temperature": self.temperature, "thresholds": known, "curves": curves}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Calibration":
        """The inverse of `as_dict`."""
        thresholds = [np.inf if one is None else one for one in fields["thresholds"]]
        curves = tuple(np.array(curve, np.float64).reshape(-1, 3) for curve in fields.get("curves", ()))
        return cls(float(fields["temperature"]), np.array(thresholds, np.float64), curves)


def classify(
    model: "Model",
    video: str | pathlib.Path | Segment,
    transcript: str | pathlib.Path | None = None,
    text: str | None = None,
) -> list[Class]:
    """The classes of a whole video, or of a segment of one, the likeliest first, after the run's temperature.

    Args:
      model: trained for classification or answering.
      video: a file, or a segment that `Model.watch` made.
      transcript: of the file, if it is not beside it.
      text: read beside the video in place of what is said in it; a question, for a model that answers.

    Returns:
      A probability for each class; they add up to 1 unless a segment may have several classes. Where words alone are
      read and there are none, these are the probabilities of an empty text: the video does not matter.

    Raises:
      UserError: the model knows no classes, there is no question for one that answers, or a transcript is named for a
        segment; as `Model.watch` for a file that cannot be used.
    """
    section = labelled_by(model)
    if isinstance(video, Segment):
        if transcript is not None:
            raise UserError(f"transcript is {str(transcript)!r}, expected none beside a segment, which has its words")
        segment = video
    else:
        (segment,) = model.watch(video, transcript)
    words = segment.spoken if text is None else tuple(model.words.encode(text))
    if isinstance(section, AnsweringConfig) and not (text and words):
        raise UserError(f"the question is {text!r}, expected words: pass it as `text`")
    logits, names = logits_of(model, [Labelled(segment, words, ())]), names_of(section)
    found = probabilities(logits, section.multiple, calibration_of(model).temperature)[0]
    return [Class(names[one], float(found[one])) for one in np.argsort(-found, kind="stable")]


def logits_of(model: "Model", examples: Sequence[Labelled]) -> np.ndarray:
    """Float32 [n, C]. Raises UserError for a model that has no classes."""
    labelled_by(model)
    return over(model, examples, lambda outputs: outputs.logits)


def probabilities(logits: np.ndarray, multiple: bool, temperature: float = 1.0) -> np.ndarray:
    """Float64 [n, C]: a sigmoid of each logit / temperature if `multiple`, else a softmax over the classes."""
    scaled = logits.astype(np.float64) / temperature
    return special.expit(scaled) if multiple else special.softmax(scaled, axis=1)


def calibrate(logits: np.ndarray, truth: np.ndarray, multiple: bool) -> Calibration:
    """Chooses temperature and thresholds by logits [n, C] and truth bool [n, C] of the validation split.

    A class that does not occur there has the threshold 1/2.
    """
    temperature = labels.temperature(logits, truth, multiple)
    found = probabilities(logits, multiple, temperature)
    thresholds = [
        labels.best_threshold(found[:, one], truth[:, one]) if truth[:, one].any() else 0.5
        for one in range(logits.shape[1])
    ]
    curves = (np.stack(labels.frontier(*column), axis=1) for column in zip(found.T, truth.T, strict=True))
    thinned = tuple(curve[evenly_spaced(len(curve), POINTS)] for curve in curves)
    return Calibration(temperature, np.array(thresholds), thinned)


def calibration_of(model: "Model") -> Calibration:
    """What the evaluation of a run has chosen; without one, the temperature 1 and thresholds of 1/2."""
    path = model.evaluation(model.config.task.name)  # the evaluator has the task's name
    if not path.exists():
        return Calibration(1.0, np.full(len(classes(model)), 0.5))
    try:
        return Calibration.from_dict(json.loads(path.read_text())["calibration"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is damaged ({error!r}); evaluate the run again, with launch/evaluate.py") from error


def classes(model: "Model") -> tuple[str, ...]:
    """The names of a model's classes. Raises UserError for a model that has none."""
    return names_of(labelled_by(model))


def labelled_by(model: "Model") -> LabelledConfig:
    """The section of a model's task. Raises UserError for a model that has no classes."""
    section = model.config.task
    if not isinstance(section, LabelledConfig):
        raise UserError(
            f"this model was trained for config.task.name={section.name!r} and knows no classes; load one that was "
            "trained for classification or answering"
        )
    return section
