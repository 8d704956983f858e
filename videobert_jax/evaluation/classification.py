"""Scores of a classifier on a split; its temperature and thresholds are chosen on the validation split."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from videobert_jax.config import ClassificationScoresConfig
from videobert_jax.data.prepared import VALIDATION, Prepared
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.evaluation.result import Result
from videobert_jax.inference import classify
from videobert_jax.inference.examples import all_of
from videobert_jax.inference.model import Model
from videobert_jax.metrics import labels


def evaluate(model: Model, prepared: Prepared, section: ClassificationScoresConfig, split: str) -> Result:
    """Accuracy, F1, average precision and calibration, for each class too.

    Returns:
      As metrics, for classes that exclude each other: ``accuracy``, ``macro_f1``; for others: ``micro_f1``,
      ``macro_f1`` at thresholds of the validation split, ``exact``, the share of segments all of whose classes are
      right. For both
      ``map``, the mean of the average precisions of classes that occur, and ``calibration_error``, of the most
      probable class, or of all probabilities, after the temperature of the validation split. As details also each
      class's scores, confusions, the `worst` segments, those whose truth is least likely, and what was chosen.
    """
    examples, found, truth, calibration = predict(model, prepared, split)
    if classify.labelled_by(model).multiple:
        metrics, details = _multi_label(found, truth, calibration, section)
    else:
        metrics, details = _single_label(found, truth, section)
    precisions = [labels.average_precision(found[:, one], truth[:, one]) for one in range(truth.shape[1])]
    metrics["map"] = float(np.nanmean(precisions)) if truth.any() else 0.0
    per_class = {
        name: {"examples": int(truth[:, number].sum()), "average_precision": _known(precisions[number]), **scores}
        for number, (name, scores) in enumerate(zip(classify.classes(model), details.pop("scores"), strict=True))
    }
    details |= {
        "split": split,
        "examples": len(examples),
        "classes": per_class,
        **chosen(calibration, split),
        "worst": worst(examples, found, truth, classify.classes(model), section.worst),
    }
    return Result(metrics, {**metrics, **details})


class Predictions(NamedTuple):
    """The predictions of a model for a split, beside the truth.

    Attributes:
      examples: n of them.
      found: float64 [n, C], probabilities after the temperature.
      truth: bool [n, C].
      calibration: what was chosen on the validation split.
    """

    examples: list[Labelled]
    found: np.ndarray
    truth: np.ndarray
    calibration: classify.Calibration


def predict(model: Model, prepared: Prepared, split: str) -> Predictions:
    """Predicts all examples of a split, after calibrating on the validation split."""
    multiple = classify.labelled_by(model).multiple
    examples = all_of(model, prepared, VALIDATION)
    logits, truth = classify.logits_of(model, examples), truth_of(model, examples)
    calibration = classify.calibrate(logits, truth, multiple)
    if split != VALIDATION:
        examples = all_of(model, prepared, split)
        logits, truth = classify.logits_of(model, examples), truth_of(model, examples)
    return Predictions(examples, classify.probabilities(logits, multiple, calibration.temperature), truth, calibration)


def chosen(calibration: classify.Calibration, split: str) -> dict[str, Any]:
    """The details that say what was chosen; `in_sample`: it was chosen on the scored split itself, which flatters."""
    return {"in_sample": split == VALIDATION, "calibration": calibration.as_dict()}


def truth_of(model: Model, examples: Sequence[Labelled]) -> np.ndarray:
    """Bool [n, C]."""
    truth = np.zeros((len(examples), len(classify.classes(model))), bool)
    for row, one in zip(truth, examples, strict=True):
        row[list(one.labels)] = True
    return truth


Scores = tuple[dict[str, float], dict[str, Any]]


def _single_label(found: np.ndarray, truth: np.ndarray, section: ClassificationScoresConfig) -> Scores:
    right, best = truth.argmax(axis=1), found.argmax(axis=1)
    hits = labels.hits(found, right, 1)
    counted = labels.counts(labels.one_hot(best, truth.shape[1]), truth)
    metrics = {
        "accuracy": float(hits.mean()),
        "macro_f1": counted.macro_f1,
        "calibration_error": labels.calibration_error(found.max(axis=1), best == right, section.bins),
    }
    return metrics, {
        "scores": _by_class(counted),
        "confusions": labels.confusions(best, right, truth.shape[1]).tolist(),
    }


def _multi_label(
    found: np.ndarray, truth: np.ndarray, calibration: classify.Calibration, section: ClassificationScoresConfig
) -> Scores:
    above = found >= calibration.thresholds
    counted = labels.counts(above, truth)
    metrics = {
        "exact": float(np.all(above == truth, axis=1).mean()),
        "macro_f1": counted.macro_f1,
        "micro_f1": counted.micro_f1,
        "calibration_error": labels.calibration_error(found.ravel(), truth.ravel(), section.bins),
    }
    at_recall = [
        labels.precision_at_recall(found[:, one], truth[:, one], section.recall)[0] for one in range(truth.shape[1])
    ]
    by_class = [
        {**scores, f"precision_at_recall_{section.recall:g}": _known(precision)}
        for scores, precision in zip(_by_class(counted), at_recall, strict=True)
    ]
    return metrics, {"scores": by_class}


def _by_class(counted: labels.Counts) -> list[dict[str, float | None]]:
    arrays = {"precision": counted.precision, "recall": counted.recall, "f1": counted.f1}
    return [{name: float(values[one]) for name, values in arrays.items()} for one in range(len(counted.f1))]


def worst(
    examples: Sequence[Labelled], found: np.ndarray, truth: np.ndarray, names: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """The segments whose true classes have the lowest likelihood, with the prediction for each."""
    likelihood = np.where(truth, np.log(found + 1e-12), np.log(1 - found + 1e-12)).sum(axis=1)
    return [
        {
            "video": examples[index].video_id,
            "start_clip": examples[index].start_clip,
            "clips": len(examples[index].segment.visual_ids),
            "truth": [names[one] for one in examples[index].labels],
            "likeliest": names[int(found[index].argmax())],
            "probability": float(found[index].max()),
        }
        for index in np.argsort(likelihood, kind="stable")[:count].tolist()
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
