"""Accuracy of the answers to questions about held-out videos, also by the first words of the questions."""

import collections
from collections.abc import Sequence

import numpy as np

from videobert_jax.config import AnsweringScoresConfig
from videobert_jax.data.prepared import TEST, TRAIN, Prepared
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.evaluation import classification
from videobert_jax.evaluation.result import Result
from videobert_jax.inference import classify, cloze
from videobert_jax.inference.examples import all_of
from videobert_jax.inference.index import require_same_ids
from videobert_jax.inference.model import Model, load
from videobert_jax.metrics import answers, labels


def evaluate(model: Model, prepared: Prepared, section: AnsweringScoresConfig, split: str) -> Result:
    """Accuracy over the questions whose answer is one of the model's.

    Returns:
      As metrics ``accuracy``, ``top5``, and ``prior``: of the commonest answer to the same question in training, or to
      all questions where that one was never asked; in the test split also ``zero_shot/accuracy``, that of a pretrained
      model which chooses from the same answers. As details also both by the first words of the questions, the
      `worst` answers, and what was chosen on validation.
    """
    examples, found, truth, calibration = classification.predict(model, prepared, split)
    right = truth.argmax(axis=1)
    hits, tops = (labels.hits(found, right, top) for top in (1, 5))
    usual = commonest(all_of(model, prepared, TRAIN), examples) == right
    kinds = [" ".join(one.segment.caption.lower().split()[: section.words]) for one in examples]
    metrics = {"accuracy": float(hits.mean()), "top5": float(tops.mean()), "prior": float(usual.mean())}
    if section.zero_shot and split == TEST:
        metrics["zero_shot/accuracy"] = float(zero_shot(model, section.zero_shot, examples, right).mean())
    by_model, by_prior = answers.accuracy(hits, kinds), answers.accuracy(usual, kinds)
    by_kind = {
        kind: {
            "questions": kinds.count(kind),
            "accuracy": by_model[kind].value,
            "prior": by_prior[kind].value,
        }
        for kind in sorted(set(kinds))
    }
    names = classify.classes(model)
    worst = classification.worst(examples, found, truth, names, section.worst)
    details = {"split": split, "questions": len(examples), "kinds": by_kind, "worst": worst}
    details |= classification.chosen(calibration, split)
    return Result(metrics, {**metrics, **details})


def zero_shot(model: Model, pretrained: str, asked: Sequence[Labelled], right: np.ndarray) -> np.ndarray:
    """Float64 [n]: whether a pretrained model, asked in a cloze, chooses the right one of a model's answers.

    Raises UserError if the words and visual words of the two are different.
    """
    other = load(pretrained)
    require_same_ids(other, model.lexicon)
    questions = [(one.segment.caption, one.segment) for one in asked]
    return labels.hits(cloze.scores_of(other, questions, classify.classes(model)), right, 1)


def commonest(training: Sequence[Labelled], asked: Sequence[Labelled]) -> np.ndarray:
    """Int [n]: the commonest answer in training to each question, else to all; of equal ones the first class."""
    counts: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for one in training:
        for question in (one.segment.caption, ""):
            counts[question][one.labels[0]] += 1
    best = {question: min(found, key=lambda name: (-found[name], name)) for question, found in counts.items()}
    return np.array([best.get(one.segment.caption, best[""]) for one in asked])
