"""Scores of the predicted next videos of viewers, among all videos that they have not watched."""

from collections.abc import Mapping, Sequence

import numpy as np

from videobert_jax.config import RecommendationConfig, RecommendationScoresConfig
from videobert_jax.data.prepared import TEST, TRAIN, VALIDATION, Prepared
from videobert_jax.data.segments import Segment
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation.result import Result
from videobert_jax.formats.histories import Viewing
from videobert_jax.inference import vectors
from videobert_jax.inference.model import Model
from videobert_jax.metrics import ranking
from videobert_jax.metrics.mean import Mean
from videobert_jax.tasks.recommendation import catalogue, histories_of

BEFORE: Mapping[str, tuple[str, ...]] = {VALIDATION: (TRAIN,), TEST: (TRAIN, VALIDATION)}  # the splits before each


def evaluate(model: Model, prepared: Prepared, section: RecommendationScoresConfig, split: str) -> Result:
    """Ranks all videos that a viewer has not watched before the split, by what is right in it.

    Returns:
      As metrics those of `metrics.ranking.recommendation`, by name of the recommender: ``model``, ``popularity`` (how
      often a video is watched in what is known), ``co_watched`` (how often by those who watched what the viewer did,
      by the cosine of their viewers) and ``chance``, equal scores. ``new/...``: the same, where only videos that nobody
      is known to have watched are right, and are candidates (cold start). ``viewers/...``: the other way round; see
      `to_viewers`.

    Raises ConfigError if nobody who is known watched anything new in the split.
    """
    task = model.config.task
    assert isinstance(task, RecommendationConfig)
    videos = catalogue(prepared)
    names = list(videos)
    known, right = tables(histories_of(task, videos), names, BEFORE[split], split)
    asked = known.any(axis=1) & right.any(axis=1)
    if not (right & ~known)[asked].any():
        raise ConfigError(
            f"config.task.histories is {task.histories!r}, where no viewer of the split {split!r} with a history "
            "watched a video for the first time, expected one at least: name a file with such viewings"
        )
    known, right = known[asked], right[asked]
    scores = {
        "model": of_model(model, known, list(videos.values()), task.inputs),
        "popularity": np.broadcast_to(known.sum(axis=0).astype(float), known.shape),
        "co_watched": co_watched(known),
        "chance": np.zeros(known.shape),
    }
    metrics: dict[str, float] = {}
    fresh = ~known.any(axis=0)
    for name, table in scores.items():
        found = ranking.recommendation(np.where(known, -np.inf, table), right & ~known, section.top)
        metrics |= {f"{name}/{key}": value for key, value in found.items()}
        new = right & fresh
        if new.any():
            rows = new.any(axis=1)
            some = ranking.recommendation(np.where(fresh, table, -np.inf)[rows], new[rows], section.top)
            metrics |= {f"new/{name}/{key}": value for key, value in some.items()}
    metrics |= to_viewers(scores["model"], known, right & ~known, section.top)
    details = {"split": split, "viewers": len(known), "videos": len(names), "new_videos": int(fresh.sum())}
    return Result(metrics, {**metrics, **details})


def to_viewers(scores: np.ndarray, known: np.ndarray, right: np.ndarray, top: int) -> dict[str, float]:
    """Ranks for each video all viewers who have not watched it; tables [viewers, videos].

    The recommenders are ``model``, ``popularity``, which prefers those who watch most, and ``chance``.
    """
    tables = {
        "model": scores,
        "popularity": np.broadcast_to(known.sum(axis=1, keepdims=True).astype(float), known.shape),
        "chance": np.zeros(known.shape),
    }
    asked = right.any(axis=0)
    metrics = {}
    for name, table in tables.items() if asked.any() else ():
        ranked, truth = np.where(known, -np.inf, table).T[asked], right.T[asked]
        metrics[f"viewers/{name}/recall_at_{top}"] = Mean.of(ranking.recall(ranked, truth, top)).value
        metrics[f"viewers/{name}/ndcg_at_{top}"] = Mean.of(ranking.ndcg(ranked, truth, top)).value
    return metrics


def tables(
    histories: Mapping[str, Sequence[Viewing]], names: Sequence[str], before: Sequence[str], split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Bool [viewers, videos] twice: what is known to have been watched, and what was watched in the split."""
    places = {name: number for number, name in enumerate(names)}
    known, right = (np.zeros((len(histories), len(names)), bool) for _ in range(2))
    for row, viewings in enumerate(histories.values()):
        for one in viewings:
            table = known if one.split in before else right if one.split == split else None
            if table is not None:
                table[row, places[one.video_id]] = True
    return known, right


def of_model(model: Model, known: np.ndarray, segments: Sequence[Segment], inputs: str) -> np.ndarray:
    """Similarities float64 [viewers, videos] of viewers, the means of what they are known to have watched."""
    of_videos = vectors.of_segments(model, segments, inputs).astype(np.float64)
    viewers = known @ of_videos
    return (viewers / np.linalg.norm(viewers, axis=1, keepdims=True)) @ of_videos.T


def co_watched(known: np.ndarray) -> np.ndarray:
    """Scores float64 [viewers, videos]: the cosines of each video's viewers with those of what a viewer watched, added.

    Item-based collaborative filtering (Sarwar et al. 2001).
    """
    watched = known.astype(np.float64)
    lengths = np.sqrt(watched.sum(axis=0)) + 1e-12
    alike = (watched.T @ watched) / np.outer(lengths, lengths)
    np.fill_diagonal(alike, 0.0)
    return watched @ alike
