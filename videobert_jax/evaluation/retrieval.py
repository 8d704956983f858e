"""How well texts find the segments they describe, and segments their texts, among all of a split."""

from typing import Any

import numpy as np

from videobert_jax.config import RetrievalConfig, RetrievalScoresConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.pairs import Pair
from videobert_jax.evaluation.result import Result
from videobert_jax.inference import vectors
from videobert_jax.inference.examples import all_of
from videobert_jax.inference.model import Model
from videobert_jax.metrics import ranking


def evaluate(model: Model, prepared: Prepared, section: RetrievalScoresConfig, split: str) -> Result:
    """Recall and ranks, by the similarity of vectors.

    A text is right for all segments that it was written about, so that one that two people wrote has two. Each
    different text and each different segment is a query once.

    Returns:
      As metrics, for ``text_to_video`` and ``video_to_text``: ``recall_at_1``, 5 and 10, the median and the mean rank,
      and `chance`, the recall at 1 of guessing. As details also how many there are, and the `worst` texts.
    """
    task = model.config.task
    assert isinstance(task, RetrievalConfig)
    pairs = all_of(model, prepared, split)
    texts, segments, right = relevance(pairs)
    of_texts = vectors.of_texts(model, [one.words for one in texts])
    of_segments = vectors.of_segments(model, [one.segment for one in segments], task.inputs)
    scores = of_texts @ of_segments.T
    metrics: dict[str, float] = {}
    for name, table, truth in (("text_to_video", scores, right), ("video_to_text", scores.T, right.T)):
        found = {**ranking.retrieval(table, truth), "chance": float(truth.mean())}
        metrics |= {f"{name}/{key}": value for key, value in found.items()}
    details = {"split": split, "texts": len(texts), "segments": len(segments)}
    worst = _worst(texts, segments, scores, right, section.worst)
    return Result(metrics, {**metrics, **details, "worst": worst})


def relevance(pairs: list[Pair]) -> tuple[list[Pair], list[Pair], np.ndarray]:
    """A pair for each different text, one for each segment, and bool [texts, segments]: which belong together."""
    texts: dict[tuple[int, ...], int] = {}
    segments: dict[tuple[str, int, int], int] = {}
    of_texts: list[Pair] = []
    of_segments: list[Pair] = []
    places = []
    for one in pairs:
        where = (one.video_id, one.start_clip, len(one.segment.visual_ids))
        if one.words not in texts:
            texts[one.words] = len(of_texts)
            of_texts.append(one)
        if where not in segments:
            segments[where] = len(of_segments)
            of_segments.append(one)
        places.append((texts[one.words], segments[where]))
    right = np.zeros((len(of_texts), len(of_segments)), bool)
    right[tuple(np.array(places).T)] = True
    return of_texts, of_segments, right


def _worst(
    texts: list[Pair], segments: list[Pair], scores: np.ndarray, right: np.ndarray, count: int
) -> list[dict[str, Any]]:
    ranks = ranking.first_ranks(scores, right)
    nearest = scores.argmax(axis=1)
    return [
        {
            "text": texts[index].segment.caption,
            "video": texts[index].video_id,
            "start_clip": texts[index].start_clip,
            "rank": float(ranks[index]),
            "nearest": segments[nearest[index]].video_id,
            "nearest_text": segments[nearest[index]].segment.caption,
        }
        for index in np.argsort(-ranks, kind="stable")[:count].tolist()
    ]
