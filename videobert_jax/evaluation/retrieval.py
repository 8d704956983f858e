"""Recall and ranks of segments by text, and of texts by segment, among all of a split."""

import collections
import math
import pathlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from videobert_jax.config import RetrievalConfig, RetrievalScoresConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TEST, VALIDATION, Prepared
from videobert_jax.data.rows.pairs import Pair
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation.result import Result
from videobert_jax.formats.recognise import read_annotations
from videobert_jax.inference import rerank, vectors
from videobert_jax.inference.examples import all_of
from videobert_jax.inference.index import require_same_ids
from videobert_jax.inference.model import Model, load
from videobert_jax.metrics import ranking
from videobert_jax.tasks.labelled import unusable

SEPARATOR = ";"


def evaluate(model: Model, prepared: Prepared, section: RetrievalScoresConfig, split: str) -> Result:
    """Recall and ranks, by the similarity of vectors.

    A text is right for all segments that it was written about, so that one that two people wrote has two, and for those
    of the same `kinds`. Each different text and each different segment is a query once.

    Returns:
      As metrics, for ``text_to_video`` and ``video_to_text``: ``recall_at_1``, 5 and 10, the median and the mean rank,
      and `chance`, the recall at 1 of guessing; in the test split also ``reranked``, of texts. As details also how many
      there are, and the `worst` texts.
    """
    table = compared(model, prepared, section, split)
    metrics: dict[str, float] = {}
    for name, scores, right in (
        ("text_to_video", table.scores, table.right),
        ("video_to_text", table.scores.T, table.right.T),
    ):
        found = {**ranking.retrieval(scores, right), "chance": float(right.mean())}
        metrics |= {f"{name}/{key}": value for key, value in found.items()}
    details: dict[str, Any] = {"split": split, "texts": len(table.texts), "segments": len(table.segments)}
    if section.rerank and split == TEST:
        found, details["rerank"] = reranked(model, prepared, section, table)
        metrics |= {f"reranked/{key}": value for key, value in found.items()}
    return Result(metrics, {**metrics, **details, "worst": _worst(table, section.worst)})


class Table(NamedTuple):
    """The texts and the segments of a split.

    Attributes:
      texts: a pair for each different text.
      segments: a pair for each different segment.
      scores: float32 [texts, segments], cosine similarities.
      right: bool [texts, segments].
    """

    texts: list[Pair]
    segments: list[Pair]
    scores: np.ndarray
    right: np.ndarray


def compared(model: Model, prepared: Prepared, section: RetrievalScoresConfig, split: str) -> Table:
    """Compares all texts and segments of a split."""
    task = model.config.task
    assert isinstance(task, RetrievalConfig)
    pairs = all_of(model, prepared, split)
    texts, segments, right = relevance(
        pairs, kinds(section.same, Footage(prepared.source(split))) if section.same else {}
    )
    of_texts = vectors.of_texts(model, [one.words for one in texts])
    of_segments = vectors.of_segments(model, [one.segment for one in segments], task.inputs)
    return Table(texts, segments, of_texts @ of_segments.T, right)


Place = tuple[str, int, int]  # of a segment: the video's name, its first clip, how many clips
Kind = tuple[frozenset[str], ...]  # the labels of a segment in each file


def relevance(
    pairs: Sequence[Pair], kinds: Mapping[Place, Kind] = MappingProxyType({})
) -> tuple[list[Pair], list[Pair], np.ndarray]:
    """A pair for each different text, one for each segment, and bool [texts, segments]: which belong together.

    A text belongs to the segments that it was written about, and to all that are of the kind of one of these.
    """
    texts: dict[tuple[int, ...], int] = {}
    segments: dict[Place, int] = {}
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
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds.values()))}
    members = np.zeros((len(of_segments), len(numbers)), np.float32)
    for where, segment in segments.items():
        if where in kinds:
            members[segment, numbers[kinds[where]]] = 1
    return of_texts, of_segments, right | ((right.astype(np.float32) @ members) @ members.T > 0)


def kinds(files: str, footage: Footage) -> dict[Place, Kind]:
    """The labels of captioned segments in label files, separated by ";"; a segment without any in one has no kind.

    The labels of a segment are those of the very seconds of its caption. A label of other seconds, such as a whole
    video's, says nothing of it.

    Raises ConfigError if a file does not exist, FormatError for one of another format.
    """
    found: dict[Place, Kind] = {}
    read = [_labels(name.strip(), footage) for name in files.split(SEPARATOR)]
    for video_id in footage.video_ids:
        video = footage[video_id]
        for start, end in zip(video.caption_starts.tolist(), video.caption_ends.tolist(), strict=True):
            segment = footage.span(video_id, start, end)
            span = (video_id, _milliseconds(start), _milliseconds(end))
            kind = tuple(frozenset(labels.get(span, ())) for labels in read)
            if segment is not None and all(kind):
                found[video_id, segment.start_clip, len(segment.visual_ids)] = kind
    return found


def _labels(file: str, footage: Footage) -> dict[tuple[str, float, float], list[str]]:
    """The labels of each span of a video, in milliseconds."""
    path = pathlib.Path(file)
    if not path.exists():
        raise ConfigError(
            f"config.evaluators.retrieval.same names {file!r}, expected files that exist, separated by {SEPARATOR!r}"
        )
    annotations, problems = read_annotations(path, footage.video_ids, "evaluators.retrieval.same")
    unusable("config.evaluators.retrieval.same", problems)
    labels = collections.defaultdict(list)
    for video_id, annotation in annotations.items():
        for one in annotation.captions:
            labels[video_id, _milliseconds(one.start), _milliseconds(one.end)].append(one.text)
    return labels


def _milliseconds(seconds: float) -> float:
    """Rounded, since records keep times as float32."""
    return round(seconds * 1000) if math.isfinite(seconds) else seconds


def reranked(
    model: Model, prepared: Prepared, section: RetrievalScoresConfig, table: Table
) -> tuple[dict[str, float], dict[str, Any]]:
    """Recall and ranks after the first `candidates` segments of each text are re-ordered, and how that was done.

    Raises UserError if the words and visual words of the two models are different.
    """
    other = load(section.rerank)
    require_same_ids(other, model.lexicon)
    places, logits = _aligned(other, table, section.candidates)
    known = compared(model, prepared, section, VALIDATION)
    weight = rerank.chosen_weight(known.scores, *_aligned(other, known, section.candidates), known.right)
    found = ranking.retrieval(rerank.blend(table.scores, places, logits, weight), table.right)
    return found, {"workdir": section.rerank, "candidates": section.candidates, "weight": weight}


def _aligned(other: Model, table: Table, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """The first segments of each text, int [texts, k], and their alignment logits."""
    places = rerank.first(table.scores, candidates)
    pairs = [
        (text.words, table.segments[place].segment)
        for text, some in zip(table.texts, places.tolist(), strict=True)
        for place in some
    ]
    return places, rerank.alignments(other, pairs).reshape(places.shape)


def _worst(table: Table, count: int) -> list[dict[str, Any]]:
    texts, segments, scores, right = table
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
