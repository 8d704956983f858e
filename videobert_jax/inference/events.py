"""Finds events in a long video with a classifier of windows: their classes, onsets and ends."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from videobert_jax.config import ClassificationConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.records import Record
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.errors import DamagedError, UserError
from videobert_jax.inference import classify, curves
from videobert_jax.inference.curves import EventRule

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has these functions as methods

STEP = 1.0  # seconds from window to window
EVALUATOR = "events"  # whose details hold the settings of a workdir


class DetectedEvent(NamedTuple):
    """An event of a class: seconds of its onset and end, and its highest probability."""

    label: str
    onset: float
    end: float
    probability: float


@dataclasses.dataclass(frozen=True)
class Settings:
    """How events are found.

    Attributes:
      window: seconds of the windows; they overlap.
      step: seconds from window to window.
      temperature: by which logits are divided.
      rule: how events follow from probabilities.
    """

    window: float
    step: float = STEP
    temperature: float = 1.0
    rule: EventRule = dataclasses.field(default_factory=EventRule)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Settings":
        """The inverse of `as_dict`."""
        return cls(**{**fields, "rule": EventRule(**fields["rule"])})


def find(model: "Model", video: Record, settings: Settings | None = None) -> list[DetectedEvent]:
    """The events of a whole video, in order of their onsets.

    Args:
      model: a classifier whose segments may have several classes, or none.
      video: whole, as `watch.watch_whole` or `Footage` give it.
      settings: None: as the evaluation of the run has chosen.

    Raises UserError for a model of another kind.
    """
    known = settings or settings_of(model)
    found = classify.probabilities(logits_of(model, video, known.window, known.step), True, known.temperature)
    detected = [
        DetectedEvent(name, *event)
        for name, curve in zip(classify.classes(model), found.T, strict=True)
        for event in curves.events(curve, known.step, known.rule)
    ]
    return sorted(detected, key=lambda one: (one.onset, -one.probability))


def logits_of(model: "Model", video: Record, window: float, step: float) -> np.ndarray:
    """Float32 [samples, C]: of windows of `window` seconds around the middle of each `step` seconds.

    The logits of a window stand at its middle: then an event that is longer than the windows, which have its label if
    half of them shows it, begins and ends where the labels do. A shorter one appears as long as a window, around its
    middle.

    Raises UserError for a model that is no classifier with any number of classes for a segment.
    """
    section = model.config.task
    if not isinstance(section, ClassificationConfig) or not section.multiple:
        raise UserError(
            f"this model was trained for config.task.name={section.name!r}, and does not tell for each class whether "
            "it is there; load one that was trained for classification with config.task.multiple"
        )
    segments = Footage([video]).around(video.video_id, window, step)
    return classify.logits_of(model, [Labelled(one, one.spoken, ()) for one in segments])


def settings_of(model: "Model") -> Settings:
    """What the evaluation of a run has chosen; without one, the windows that it was trained on.

    Raises UserError if it was trained on no windows, DamagedError for a damaged file.
    """
    path = model.evaluation(EVALUATOR)
    if path.exists():
        try:
            return Settings.from_dict(json.loads(path.read_text())["settings"])
        except (ValueError, KeyError, TypeError) as error:
            advice = "evaluate the run again, with launch/evaluate.py"
            raise DamagedError(f"{path} is damaged ({error!r}); {advice}") from error
    section = model.config.task
    if not isinstance(section, ClassificationConfig) or not section.window:
        raise UserError(
            "this model was trained on whole spans, not on windows; say with `settings` how many seconds of windows to "
            "classify, or train with config.task.window"
        )
    return Settings(section.window)
