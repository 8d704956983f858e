"""Answers to questions about a video: by a classifier of answers, or by a pretrained model, as a cloze.

A pretrained model was not trained on questions, but fills in words. So a question becomes a statement with [MASK] in
the place of the answer, and the score of an answer is that of its words there, beside the clips. An answer of several
WordPieces gets as many [MASK], filled independently of each other, and its score is their mean log-probability among
all words; the probabilities of answers are the softmax of their scores.
"""

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from videobert_jax.config import AnsweringConfig
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.data.segments import Segment, beside
from videobert_jax.errors import UserError
from videobert_jax.inference import classify, fill
from videobert_jax.model.videobert import VideoBert

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has some of these functions as methods

BLANK = "[MASK]"
# How questions begin -> the statement that answers them; the first that fits counts.
TEMPLATES = tuple(
    (re.compile(question, re.IGNORECASE), statement)
    for question, statement in (
        (r"(?:what|which) colou?r (is|are) (.+)", r"\2 \1 [MASK]"),
        (r"(?:what|which) colou?r (?:does|do) (.+?) have", r"the colour of \1 is [MASK]"),
        (r"(?:what|which) colou?r (?:does|do) (.+?) wear", r"\1 wears [MASK]"),
        (r"how many (.+?) are there(.*)", r"there are [MASK] \1\2"),
        (r"what is the number of (.+)", r"there are [MASK] \1"),
        (r"where (is|are) (.+)", r"\2 \1 in the [MASK]"),
        (r"where does (.+?) take place", r"\1 takes place in the [MASK]"),
        (r"what (is|are) being (.+)", r"the [MASK] \1 being \2"),
        (r"(?:which|what) (\w+) (is|comes) (.+)", r"the [MASK] \2 \3"),
    )
)


class Answer(NamedTuple):
    """An answer, and its probability among those that were to choose from."""

    answer: str
    probability: float


def statement(question: str) -> str:
    """A question as a statement with one [MASK], such as "the mat is [MASK]"; see `TEMPLATES`."""
    asked = question.strip().rstrip("?").rstrip()
    for pattern, template in TEMPLATES:
        if found := pattern.fullmatch(asked):
            return found.expand(template)
    return f"{question.strip()} answer: {BLANK}"


def answer(model: "Model", question: str, segment: Segment, answers: Sequence[str] = ()) -> list[Answer]:
    """The answers to a question about a segment, the likeliest first; of equal ones the earlier.

    Args:
      model: trained to answer, or pretrained.
      question: in words.
      segment: of a video; of a long one, as many clips as fit are shown, evenly spaced.
      answers: to choose from; a model that was trained to answer knows its own, and chooses from all if none is named.

    Raises UserError for an empty question, for answers that the model cannot give, or another kind of model.
    """
    if not question.strip() or BLANK in question:
        raise UserError(f"the question is {question!r}, expected words without {BLANK}")
    if len(set(answers)) < len(answers):
        raise UserError(f"the answers are {list(answers)}, expected different ones")
    if isinstance(model.config.task, AnsweringConfig):
        scores, answers = _by_class(model, question, segment, answers)
    else:
        scores = scores_of(model, [(question, segment)], answers)[0]
    probabilities = special.softmax(scores)
    best = np.argsort(-probabilities, kind="stable").tolist()
    return [Answer(answers[place], float(probabilities[place])) for place in best]


def _by_class(
    model: "Model", question: str, segment: Segment, answers: Sequence[str]
) -> tuple[np.ndarray, Sequence[str]]:
    names = classify.classes(model)
    if unknown := [name for name in answers if name not in names]:
        raise UserError(
            f"{unknown[0]!r} is none of the {len(names)} answers that this model was trained to give, such as "
            f"{', '.join(names[:5])}; name others, or ask a pretrained model"
        )
    logits = classify.logits_of(model, [Labelled(segment, tuple(model.words.encode(question)), ())])[0]
    scaled = logits.astype(np.float64) / classify.calibration_of(model).temperature
    chosen = list(answers) or list(names)
    return scaled[[names.index(name) for name in chosen]], chosen


def scores_of(model: "Model", asked: Sequence[tuple[str, Segment]], answers: Sequence[str]) -> np.ndarray:
    """Mean log-probabilities float64 [n, A] of A answers to n questions, each about a segment.

    Raises UserError for a model that fills in no words, no answers, or one without words.
    """
    if not isinstance(model.task.network, VideoBert):
        raise UserError(
            f"{model.lexicon.folder} was trained for config.task.name={model.config.task.name!r}, which answers "
            "nothing; name a workdir that was pretrained, or trained for answering"
        )
    ids = [tuple(model.words.encode(one)) for one in answers]
    if not ids or not all(ids):
        raise UserError(f"the answers are {list(answers)}, expected at least one, and each with words")
    scores = np.empty((len(asked), len(ids)))
    for pieces in sorted({len(one) for one in ids}):
        places = [place for place, one in enumerate(ids) if len(one) == pieces]
        scores[:, places] = _of_length(model, asked, np.array([ids[place] for place in places]))
    return scores


def _of_length(model: "Model", asked: Sequence[tuple[str, Segment]], ids: np.ndarray) -> np.ndarray:
    """Scores float64 [n, a] of answers int [a, L] that have L WordPieces each."""
    pieces = ids.shape[1]
    sequences = []
    encode = functools.lru_cache(maxsize=None)(model.words.encode)
    for question, segment in asked:
        words = np.array(encode(statement(question).replace(BLANK, " ".join([BLANK] * pieces))), np.int32)
        room = model.length - len(words) - 3
        if room < 1 or np.count_nonzero(words == model.tokens.mask) != pieces:
            raise UserError(
                f"the question {question!r} has {len(words)} tokens as a statement, expected at most "
                f"{model.length - 4}: a sequence of this model has {model.length} positions; ask it shorter"
            )
        sequences.append(beside(words, segment, room, model.tokens))
    allowed = fill.vocabulary(model.tokens, "text")
    longest = max(len(one.ids) for one in sequences)
    parts = []
    for start in range(0, len(sequences), fill.ROWS):
        some = sequences[start : start + fill.ROWS]
        rows = fill.ROWS if len(sequences) > 1 else 1
        outputs = model.outputs(fill.batch_of(some, model.tokens, rows, longest))
        logits = np.where(allowed, outputs.predictions[: len(some)].astype(np.float64), -np.inf)
        known = special.log_softmax(logits, axis=-1)
        parts.append(np.mean([known[:, place, ids[:, place]] for place in range(pieces)], axis=0))
    return np.concatenate(parts)
