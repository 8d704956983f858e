"""Zero-shot classification by cloze (VideoBERT, section 4.2 and table 2).

The model reads "now let me show you how to [MASK] the [MASK]" beside the visual words of a held-out segment; what it
fills in for the first blank is its verb, for the second its object. Nothing was trained for this. The score of every
blank stands beside two that know nothing of the video: the same model asked without it, and guessing.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from videobert_jax.data.batch import Batch
from videobert_jax.data.packing import pad_rows, rows_of_sequences
from videobert_jax.data.segments import Segment
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text
from videobert_jax.evaluation.caption_words import NUM_OBJECTS, NUM_VERBS, Labels, commonest, pairs, verb_and_objects
from videobert_jax.inference.fill import Fillings, vocabulary
from videobert_jax.tokens import TokenSpace

Fill = Callable[[Batch, np.ndarray], Fillings]  # `inference.fill.fill` of a model and its parameters

BLANKS = ("verb", "object")
TOPS = (1, 5)
SCORES = tuple(f"{blank}_top{top}" for blank in BLANKS for top in TOPS)
ROWS, LENGTHS = 64, 32  # batches have so many rows, and a multiple of so many positions: few programs to compile


def fill_in(
    fill: Fill, sequences: Sequence[TokenSequence], modality: Literal["text", "video"], tokens: TokenSpace
) -> Fillings:
    """Fills the blanks of n sequences that have M each, best first: NumPy arrays [n, M, 5], ids of the joint space."""
    length = -(-max(len(sequence.ids) for sequence in sequences) // LENGTHS) * LENGTHS
    blanks = int(np.count_nonzero(sequences[0].ids == tokens.mask))
    allowed = vocabulary(tokens, modality)
    parts = []
    for start in range(0, len(sequences), ROWS):
        part = sequences[start : start + ROWS]
        batch = pad_rows(rows_of_sequences(part, length, blanks, tokens), ROWS, tokens)
        found = fill(batch, allowed)
        parts.append(Fillings(found.ids[: len(part)], found.probabilities[: len(part)]))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def encode_template(template: str, encode: Callable[[str], Sequence[int]], tokens: TokenSpace) -> np.ndarray:
    """Text ids of the template. Raises ValueError unless it has a blank for the verb and one for the object."""
    words = np.array(encode(template), np.int32)
    masks = int(np.count_nonzero(words == tokens.mask))
    if masks != len(BLANKS):
        raise ValueError(
            f"config.evaluators.zero_shot.template is {template!r}, with {masks} [MASK]; it needs {len(BLANKS)}"
        )
    return words


def ask(fill: Fill, words: np.ndarray, segments: Sequence[Segment], tokens: TokenSpace, length: int) -> Fillings:
    """Fills in the template `words` for each segment; of a long one, as many clips as fit, evenly spaced.

    Args:
      fill: the model.
      words: int32 [m], text ids of the template.
      segments: at least one.
      tokens: the joint vocabulary.
      length: positions that the model has.
    """
    room = length - len(words) - 3
    if room < 1:
        raise ValueError(f"the template has {len(words)} tokens, which leaves no room for video in {length} positions")
    shown = [segment.visual_ids for segment in segments]
    shown = [ids[np.linspace(0, len(ids) - 1, min(len(ids), room)).round().astype(int)] for ids in shown]
    sequences = [encode_joint(words, visual_ids, tokens) for visual_ids in shown]
    return fill_in(fill, sequences, "text", tokens)


def language_prior(fill: Fill, words: np.ndarray, tokens: TokenSpace) -> Fillings:
    """Fills in the template without any video: one answer, n = 1, for all segments."""
    return fill_in(fill, [encode_text(words, tokens)], "text", tokens)


@dataclasses.dataclass(frozen=True)
class Question:
    """What is right in one blank of each segment.

    Attributes:
      labels: the words that are asked for.
      right: for each of the n segments, the ids of the labels it has; a segment without any is not asked about.
    """

    labels: Labels
    right: tuple[frozenset[int], ...]


def questions(segments: Sequence[Segment], id_of: Callable[[str], int | None]) -> dict[str, Question]:
    """The question of each blank. `id_of` gives the id of a word that is a single token, None for another."""
    parsed = [verb_and_objects(segment.caption) for segment in segments]
    return {
        "verb": _question([(verb,) for verb, _ in parsed], NUM_VERBS, id_of),
        "object": _question([objects for _, objects in parsed], NUM_OBJECTS, id_of),
    }


def _question(answers: Sequence[tuple[str, ...]], count: int, id_of: Callable[[str], int | None]) -> Question:
    labels = commonest(answers, count, id_of)
    right = (frozenset(labels.ids[word] for word in words if word in labels.ids) for words in answers)
    return Question(labels, tuple(right))


def is_unseen(segments: Sequence[Segment], training_captions: Iterable[str]) -> np.ndarray:
    """Bool [n]: no (verb, object word) of the segment's caption occurs together in any training caption."""
    seen = pairs(training_captions)
    return np.array([not pairs([segment.caption]) & seen for segment in segments], bool)


def score(
    question: Question, blank: int, top: int, answers: Fillings, prior: Fillings, unseen: np.ndarray
) -> dict[str, Any]:
    """Accuracy at one blank among the `top` best fillings, over the segments that have a label; None where none has.

    Returns:
      `cross_modal`, over all; `seen_pairs` and `unseen_pairs`, over the segments with such a verb and object;
      `macro`, the mean of the labels' own accuracies; `language_prior`, of the answer without video; `chance`, of
      guessing `top` different labels.
    """
    asked = np.array([bool(right) for right in question.right])
    rightful = [right for right in question.right if right]
    hits = np.array(
        [
            bool(right & set(ids))
            for right, ids in zip(question.right, answers.ids[:, blank, :top].tolist(), strict=True)
        ]
    )
    hits, unseen = hits[asked], unseen[asked]
    blind = set(prior.ids[0, blank, :top].tolist())
    by_label = [hits[[id_ in right for right in rightful]] for id_ in question.labels.ids.values()]
    values = {
        "cross_modal": hits,
        "language_prior": np.array([bool(right & blind) for right in rightful]),
        "chance": np.array([_guess(len(question.labels.ids), len(right), top) for right in rightful]),
        "unseen_pairs": hits[unseen],
        "seen_pairs": hits[~unseen],
        "macro": np.array([label_hits.mean() for label_hits in by_label if len(label_hits)]),
    }
    return {name: float(value.mean()) if len(value) else None for name, value in values.items()}


def _guess(labels: int, right: int, top: int) -> float:
    """Probability that one of `right` labels is among `top` different ones drawn from `labels`."""
    return 1 - math.comb(labels - right, top) / math.comb(labels, top) if top < labels else 1.0


NOT_ASKED = dict.fromkeys(("cross_modal", "language_prior", "chance", "unseen_pairs", "seen_pairs", "macro"))


def unanswerable(template: str, reason: str) -> dict[str, Any]:
    """The result where there is nothing to judge by: nothing but nulls, and why."""
    return {**{name: dict(NOT_ASKED) for name in SCORES}, "template": template, "segments": 0, "reason": reason}


def judge(
    answers: Fillings, prior: Fillings, asked: Mapping[str, Question], unseen: np.ndarray, template: str
) -> dict[str, Any]:
    """The whole result: `score` for every name in `SCORES`, and what was asked.

    Args:
      answers: of n segments, from `ask`.
      prior: from `language_prior`.
      asked: from `questions`.
      unseen: bool [n], from `is_unseen`.
      template: as the user wrote it.
    """
    scores = {
        f"{blank}_top{top}": score(asked[blank], index, top, answers, prior, unseen)
        for index, blank in enumerate(BLANKS)
        for top in TOPS
    }
    counts = {
        f"{blank}_labels": {
            "words": sorted(asked[blank].labels.ids),
            "not_a_single_token": list(asked[blank].labels.not_single),
            "segments": sum(bool(right) for right in asked[blank].right),
        }
        for blank in BLANKS
    }
    return {**scores, "template": template, "segments": len(unseen), "unseen_segments": int(unseen.sum()), **counts}
