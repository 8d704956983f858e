"""Zero-shot classification by cloze (VideoBERT, section 4.2 and table 2).

The model reads "now let me show you how to [MASK] the [MASK]" beside the visual words of a held-out segment; what it
fills in for the first blank is its verb, for the second its object. Nothing was trained for this. The score of every
blank stands beside two that know nothing of the video: the same model asked without it, and guessing.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from absl import logging

from videobert_jax.config import HeldOutConfig, ZeroShotConfig
from videobert_jax.data.prepared import TRAIN, VALIDATION, Prepared
from videobert_jax.data.segments import Segment, find_segments
from videobert_jax.evaluation import held_out
from videobert_jax.evaluation.caption_words import (
    IMPERATIVES,
    CaptionReader,
    Labels,
    commonest,
    find_reader,
    pairs,
)
from videobert_jax.evaluation.result import Result
from videobert_jax.evaluation.tagger import INSTALL
from videobert_jax.inference.fill import Fillings, ask, language_prior
from videobert_jax.inference.model import Model
from videobert_jax.progress import progress
from videobert_jax.tokens import TokenSpace

BLANKS = ("verb", "object")
TOPS = (1, 5)
DEFAULTS = ZeroShotConfig()
SCORES = tuple(f"{blank}_top{top}" for blank in BLANKS for top in TOPS)


def encode_template(template: str, encode: Callable[[str], Sequence[int]], tokens: TokenSpace) -> np.ndarray:
    """Text ids of the template. Raises ValueError unless it has a blank for the verb and one for the object."""
    words = np.array(encode(template), np.int32)
    masks = int(np.count_nonzero(words == tokens.mask))
    if masks != len(BLANKS):
        raise ValueError(
            f"config.evaluators.zero_shot.template is {template!r}, with {masks} [MASK]; it needs {len(BLANKS)}"
        )
    return words


@dataclasses.dataclass(frozen=True)
class Question:
    """What is right in one blank of each segment.

    Attributes:
      labels: the words that are asked for.
      right: for each of the n segments, the ids of the labels it has; a segment without any is not asked about.
    """

    labels: Labels
    right: tuple[frozenset[int], ...]


def questions(
    captions: Sequence[str],
    id_of: Callable[[str], int | None],
    read: CaptionReader = IMPERATIVES,
    section: ZeroShotConfig = DEFAULTS,
) -> dict[str, Question]:
    """The question of each blank.

    Args:
      captions: of the segments.
      id_of: the id of a word that is a single token, None for another.
      read: finds the verb and the objects of a caption.
      section: says how many verbs and objects are asked for.
    """
    parsed = [read(caption) for caption in captions]
    return {
        "verb": _question([(verb,) for verb, _ in parsed], section.verbs, id_of),
        "object": _question([objects for _, objects in parsed], section.objects, id_of),
    }


def _question(answers: Sequence[tuple[str, ...]], count: int, id_of: Callable[[str], int | None]) -> Question:
    labels = commonest(answers, count, id_of)
    right = (frozenset(labels.ids[word] for word in words if word in labels.ids) for words in answers)
    return Question(labels, tuple(right))


def is_unseen(
    segments: Sequence[Segment], training_captions: Iterable[str], read: CaptionReader = IMPERATIVES
) -> np.ndarray:
    """Bool [n]: no (verb, object word) of the segment's caption occurs together in any training caption."""
    seen = pairs(training_captions, read)
    return np.array([not pairs([segment.caption], read) & seen for segment in segments], bool)


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


NO_CAPTIONS = "the held-out videos have no captions; an annotations.json beside the videos gives some"
UNREADABLE = "none of the {} captions of the held-out videos can be read{}"
NEEDS_TAGGER = f"; only imperatives can be read without the tagger: {INSTALL}"


def evaluate(model: Model, prepared: Prepared, section: ZeroShotConfig, split: str = VALIDATION) -> Result:
    """Asks a model about the captioned segments of a split; of the validation split if it has no captions.

    Returns:
      As details, for each of ``verb_top1 verb_top5 object_top1 object_top5`` the accuracies that `score` explains,
      nulls where there is nothing to judge by; under ``held_out`` the means over held-out batches; and what was asked.
      Segments whose captions cannot be read are left out; a warning and ``unreadable_captions`` give their number.
    """
    # The captions of a test split are often not published, as YouCook2's.
    segments = find_segments(prepared.source(split)) or find_segments(prepared.source(VALIDATION))
    details = cloze(model, section, segments, _captions(prepared))
    measured = model.config.evaluators.get("held_out")
    batches = measured if isinstance(measured, HeldOutConfig) else HeldOutConfig()
    details["held_out"] = dict(held_out.evaluate(model, prepared, batches).metrics)
    scores = {f"{name}/{key}": value for name in SCORES for key, value in details[name].items() if value is not None}
    return Result(scores, details)


def cloze(
    model: Model, section: ZeroShotConfig, segments: Sequence[Segment], training_captions: Set[str]
) -> dict[str, Any]:
    """The zero-shot result by the captioned segments; nulls and a reason if nothing can be asked about them."""
    template = section.template
    if not segments:
        return unanswerable(template, NO_CAPTIONS)
    read = find_reader(section.nouns)
    hint = "" if read.tagger else NEEDS_TAGGER
    readable = [segment for segment in segments if read(segment.caption)[0]]
    if not readable:
        return unanswerable(template, UNREADABLE.format(len(segments), hint))
    left_out = len(segments) - len(readable)
    if left_out:
        logging.warning(
            "zero-shot: %d of %d held-out captions cannot be read and are left out%s", left_out, len(segments), hint
        )
    if not read.tagger and (unread := read.unreadable(training_captions)):
        logging.warning(
            "zero-shot: %d of %d training captions cannot be read, so their pairs of verb and object count as unseen%s",
            unread, len(training_captions), hint,
        )  # fmt: skip
    words = encode_template(template, model.words.encode, model.tokens)
    answers = ask(model.fill_batch, words, readable, model.tokens, model.length)
    prior = language_prior(model.fill_batch, words, model.tokens)
    unseen = is_unseen(readable, training_captions, read)
    asked = questions([segment.caption for segment in readable], model.words.id_of, read, section)
    result = judge(answers, prior, asked, unseen, template)
    return {**result, "unreadable_captions": left_out} if left_out else result


def _captions(prepared: Prepared) -> set[str]:
    """All captions of the training videos, each once."""
    source = prepared.source(TRAIN)
    records = progress(source, len(source), "training captions", "record")
    return {caption for record in records for caption in record.captions}
