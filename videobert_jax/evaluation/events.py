"""Precision and recall of the events that a classifier of windows finds in long videos, and errors of their onsets."""

import collections
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from videobert_jax.config import ClassificationConfig, EventScoresConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import VALIDATION, Prepared
from videobert_jax.errors import ConfigError, UserError
from videobert_jax.evaluation.result import Result
from videobert_jax.inference import classify, curves, events
from videobert_jax.inference.curves import Event, EventRule
from videobert_jax.inference.model import Model
from videobert_jax.metrics import labels
from videobert_jax.tasks.classification import belongs, spans_of

# The grid from which the rule is chosen.
THRESHOLDS, RELEASES = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9, 0.05, 0.95), (0.5, 0.75, 1.0)
GAPS, SHORTEST = (0.0, 2.0, 5.0), (0.0, 2.0, 3.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """A long video.

    Attributes:
      video_id: its name.
      logits: float32 [samples, C] of its windows.
      truth: bool [samples, C], the classes of the windows, as in training.
      spans: of each class, the seconds in which it happens.
    """

    video_id: str
    logits: np.ndarray
    truth: np.ndarray
    spans: list[list[tuple[float, float]]]


@dataclasses.dataclass(frozen=True)
class Score:
    """Numbers of found and of true events; `errors`: seconds by which the onset of each match is off."""

    found: int = 0
    true: int = 0
    errors: tuple[float, ...] = ()

    def __add__(self, other: "Score") -> "Score":
        return Score(self.found + other.found, self.true + other.true, self.errors + other.errors)

    def as_dict(self) -> dict[str, float]:
        """For JSON. Without a right event there is no `onset_error`, the median."""
        right = len(self.errors)
        fields: dict[str, float] = {
            "found": self.found,
            "true": self.true,
            "precision": right / self.found if self.found else 0.0,
            "recall": right / self.true if self.true else 0.0,
            "f1": 2 * right / max(self.found + self.true, 1),
        }
        return {**fields, "onset_error": float(np.median(self.errors))} if right else fields


def evaluate(model: Model, prepared: Prepared, section: EventScoresConfig, split: str) -> Result:
    """Finds the events of all long videos of a split; rule and temperature are chosen on the validation split.

    An event is right if its onset is within the tolerance of a true one of its class that no surer event has found.

    Returns:
      As metrics ``precision``, ``recall`` and ``f1`` of events, and how many are ``found`` and ``true``;
      ``onset_error``, the median distance of right onsets in seconds, if there are any; ``map``, the mean average
      precision of overlapping windows over the classes that occur; ``chance/precision``, of events anywhere in the
      video, and ``chance/map``, the share of windows with a class. As details also those of each class, the events, and
      the settings, which `inference.events` reads.

    Without a long video there are no metrics, and a warning.

    Raises ConfigError without windows, UserError for a model that is no classifier with several classes.
    """
    window = section.window or _task(model).window
    if not window:
        raise ConfigError(
            "config.evaluators.events.window is 0, and config.task.window too; expected the seconds of the "
            "windows that are to be classified"
        )
    validation = streams(model, prepared, section, window, VALIDATION)
    settings = choose(validation, window, section)
    some = validation if split == VALIDATION else streams(model, prepared, section, window, split)
    if not some:
        logging.warning(
            "events are not measured: no video of the split %r is longer than config.evaluators.events.longer, %s s",
            split,
            section.longer,
        )
        return Result({}, {"split": split, "videos": 0, "settings": settings.as_dict()})
    found, names = [found_in(one, settings) for one in some], classify.classes(model)
    scores = score(some, found, section.tolerance)
    logits, truth = (np.concatenate([getattr(one, name) for one in some]) for name in ("logits", "truth"))
    occur = truth.any(axis=0)
    precisions = [labels.average_precision(logits[:, one], truth[:, one]) for one in np.flatnonzero(occur)]
    metrics = sum(scores, Score()).as_dict()
    metrics |= {"map": float(np.mean(precisions)) if precisions else 0.0}
    metrics |= {"chance/precision": _by_chance(some, section), "chance/map": float(truth[:, occur].mean())}
    details = {
        "split": split,
        "videos": len(some),
        "settings": settings.as_dict(),
        "classes": {name: one.as_dict() for name, one in zip(names, scores, strict=True)},
        "average_precision": {names[one]: value for one, value in zip(np.flatnonzero(occur), precisions, strict=True)},
        "events": [_listed(one, each, names) for one, each in zip(some, found, strict=True)],
    }
    return Result(metrics, {**metrics, **details})


def streams(model: Model, prepared: Prepared, section: EventScoresConfig, window: float, split: str) -> list[Stream]:
    """The long videos of a split, classified."""
    task, footage = _task(model), Footage(prepared.source(split))
    numbers = {name: number for number, name in enumerate(classify.classes(model))}
    spans: dict[str, list[list[tuple[float, float]]]] = collections.defaultdict(lambda: [[] for _ in numbers])
    for span in spans_of(dataclasses.replace(task, window=0.0, unlabelled=False), footage, split):
        for name in span.labels & numbers.keys():
            spans[span.video_id][numbers[name]].append((span.start, span.end))
    found = []
    for video_id in footage.video_ids:
        video = footage[video_id]
        if video.border(len(video.visual_ids)) > section.longer:
            logits = events.logits_of(model, video, window, section.step)
            truth = [_shown(each, len(logits), window, section.step) for each in spans[video_id]]
            found.append(Stream(video_id, logits, np.stack(truth, axis=1), spans[video_id]))
    return found


def _shown(spans: Sequence[tuple[float, float]], samples: int, window: float, step: float) -> np.ndarray:
    """Bool [samples]: whether the window around each sample shows one of the spans, as in training."""
    middles = ((np.arange(samples) + 0.5) * step).tolist()
    pieces = [(middle - window / 2, middle + window / 2) for middle in middles]
    return np.array([any(belongs(span, piece, True) for span in spans) for piece in pieces], bool)


def choose(some: Sequence[Stream], window: float, section: EventScoresConfig) -> events.Settings:
    """The settings for the videos of the validation split: the rule of the highest F1, of equal ones the first.

    Without any event there, the default.
    """
    settings = events.Settings(window, section.step)
    if not any(one.truth.any() for one in some):
        logging.warning("no long validation video has an event: the rule for events is the default one")
        return settings
    logits, truth = (np.concatenate([getattr(one, name) for one in some]) for name in ("logits", "truth"))
    settings = dataclasses.replace(settings, temperature=labels.temperature(logits, truth, True))
    every = [
        dataclasses.replace(settings, rule=EventRule(*values))
        for values in itertools.product(THRESHOLDS, RELEASES, GAPS, SHORTEST)
    ]
    scores = [score(some, [found_in(one, each) for one in some], section.tolerance) for each in every]
    return every[int(np.argmax([sum(each, Score()).as_dict()["f1"] for each in scores]))]


Found = list[list[Event]]  # of each class


def found_in(stream: Stream, settings: events.Settings) -> Found:
    """The events of a video."""
    probabilities = classify.probabilities(stream.logits, True, settings.temperature)
    return [curves.events(curve, settings.step, settings.rule) for curve in probabilities.T]


def score(some: Sequence[Stream], found: Sequence[Found], tolerance: float) -> list[Score]:
    """The score of each class, over all videos."""
    by_stream = [
        [
            Score(len(each), len(spans), matched(each, [start for start, _ in spans], tolerance))
            for each, spans in zip(several, one.spans, strict=True)
        ]
        for one, several in zip(some, found, strict=True)
    ]
    return [sum(each, Score()) for each in zip(*by_stream, strict=True)]


def matched(found: Sequence[Event], onsets: Sequence[float], tolerance: float) -> tuple[float, ...]:
    """Distances, in seconds, of the events that are right, the surest first; each takes the nearest onset left."""
    free, errors = list(onsets), []
    for event in sorted(found, key=lambda one: -one.peak):
        nearest = min(free, key=lambda onset: abs(onset - event.onset), default=np.inf)
        if abs(nearest - event.onset) <= tolerance:
            errors.append(abs(nearest - event.onset))
            free.remove(nearest)
    return tuple(errors)


def _by_chance(some: Sequence[Stream], section: EventScoresConfig) -> float:
    """The share of samples, over all classes, that begin within the tolerance of an onset."""
    near = [
        [np.abs(np.arange(len(one.logits)) * section.step - start) <= section.tolerance for start, _ in spans]
        for one in some
        for spans in one.spans
    ]
    sizes = [len(one.logits) for one in some for _ in one.spans]
    return sum(float(np.any(each, axis=0).sum()) for each in near if each) / sum(sizes)


def _listed(stream: Stream, found: Found, names: Sequence[str]) -> dict[str, Any]:
    return {
        "video": stream.video_id,
        "found": [{"label": name, **one._asdict()} for name, each in zip(names, found, strict=True) for one in each],
        "true": [
            {"label": name, "onset": start, "end": end}
            for name, each in zip(names, stream.spans, strict=True)
            for start, end in each
        ],
    }


def _task(model: Model) -> ClassificationConfig:
    """Raises UserError if there is no such task."""
    section = model.config.task
    if not isinstance(section, ClassificationConfig):
        raise UserError(
            f"this model was trained for config.task.name={section.name!r}, and finds no events; load one that was "
            "trained for classification"
        )
    return section
