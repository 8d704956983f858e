"""Re-ranks the first results of a search by the alignment score of a pretrained model.

The alignment head (VideoBERT, section 3.3) reads both together, which tells more than the product of two vectors, and
takes a pass of the network for each pair, so only the first few results are re-ranked.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from videobert_jax.data.segments import Segment, beside
from videobert_jax.errors import DamagedError, UserError
from videobert_jax.inference import fill
from videobert_jax.inference.index import Found
from videobert_jax.metrics import ranking
from videobert_jax.model.videobert import VideoBert

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model

CANDIDATES = 20
EVALUATOR = "retrieval"  # whose details hold the weight that was chosen
WEIGHTS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # of a logit, beside a cosine similarity
WEIGHT = 0.03  # where none was chosen


def alignments(model: "Model", pairs: Sequence[tuple[Sequence[int], Segment]]) -> np.ndarray:
    """Float32 [n]: the logits that a text, ids without special tokens, and a segment match.

    A text that is too long is cut; of a long segment as many clips as fit are shown, evenly spaced. Raises UserError
    for a model that was not pretrained.
    """
    if not isinstance(model.task.network, VideoBert):
        raise UserError(
            f"{model.lexicon.folder} was trained for config.task.name={model.config.task.name!r}, which does not tell "
            "whether text and video match; name a pretrained workdir"
        )
    sequences = []
    for text, segment in pairs:
        words = np.array(text[: (model.length - 3) // 2], np.int32)
        sequences.append(beside(words, segment, model.length - len(words) - 3, model.tokens))
    logits = np.zeros(len(sequences), np.float32)
    order = sorted(range(len(sequences)), key=lambda place: len(sequences[place].ids))  # little padding
    for start in range(0, len(order), fill.ROWS):
        places = order[start : start + fill.ROWS]
        batch = fill.batch_of([sequences[place] for place in places], model.tokens, fill.ROWS)
        logits[places] = model.outputs(batch).alignment[: len(places), 0]
    return logits


def reordered(
    model: "Model", text: Sequence[int], found: Sequence[Found], segments: Sequence[Segment], weight: float
) -> list[Found]:
    """Orders the results for a text, ids without special tokens, by ``score + weight * logit``, their new score.

    `segments` are those of the entries. Of equal scores the earlier stays first.
    """
    logits = alignments(model, [(text, one) for one in segments]).tolist()
    scored = [one._replace(score=one.score + weight * logit) for one, logit in zip(found, logits, strict=True)]
    return sorted(scored, key=lambda one: -one.score)


def weight_of(model: "Model") -> float:
    """The weight that the evaluation of a retrieval run has chosen; `WEIGHT` where it re-ranked nothing."""
    path = model.evaluation(EVALUATOR)
    if not path.exists():
        return WEIGHT
    try:
        return float(json.loads(path.read_text()).get("rerank", {"weight": WEIGHT})["weight"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged ({error!r}); evaluate the run again, with launch/evaluate.py") from error


def first(scores: np.ndarray, candidates: int) -> np.ndarray:
    """Int [q, k]: the places of the `candidates` highest scores of each row, of equal ones the lower place first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :candidates]


def blend(scores: np.ndarray, places: np.ndarray, logits: np.ndarray, weight: float) -> np.ndarray:
    """Scores float64 [q, n], in which the candidates of each row are ordered by ``score + weight * logit``.

    They stay above all others, which keep their order.

    Args:
      scores: [q, n].
      places: int [q, k], the candidates, which score at least as high as all others.
      logits: [q, k], of the candidates.
      weight: at least 0.
    """
    blended = scores.astype(np.float64)
    own = np.take_along_axis(blended, places, axis=1) + weight * logits
    np.put_along_axis(blended, places, -np.inf, axis=1)
    others = blended.max(axis=1, keepdims=True)
    shift = np.where(np.isfinite(others), others - own.min(axis=1, keepdims=True) + 1.0, 0.0)
    np.put_along_axis(blended, places, own + shift, axis=1)
    return blended


def chosen_weight(scores: np.ndarray, places: np.ndarray, logits: np.ndarray, right: np.ndarray) -> float:
    """The weight of `WEIGHTS` with the highest recall at 1, of equal ones the lowest; `right` is bool [q, n]."""
    return max(
        WEIGHTS,
        key=lambda weight: (ranking.retrieval(blend(scores, places, logits, weight), right)["recall_at_1"], -weight),
    )
