"""How well moments that texts describe are found in whole videos, and their highlights: QVHighlights' protocol."""

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from videobert_jax import tokenizer
from videobert_jax.config import MomentScoresConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TRAIN, VALIDATION, Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation.result import Result
from videobert_jax.formats.moments import MomentQuery, read_moments
from videobert_jax.inference import curves, vectors
from videobert_jax.inference.curves import MomentRule
from videobert_jax.inference.locate import SAMPLE
from videobert_jax.inference.model import Model
from videobert_jax.metrics import moments
from videobert_jax.metrics.moments import Query

# What the rule is chosen from.
SMOOTHING, CONTRAST, GROWTH, OVERLAP = (1, 3, 5), (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5, 0.75), (0.1, 0.3, 0.5)
HIGHLIGHT = "very_good"  # of `RATINGS`; what is published


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """A query, and the curve of similarities over its video, which ends at `end` seconds."""

    query: MomentQuery
    curve: np.ndarray
    end: float

    def found(self, rule: MomentRule, top: int) -> Query:
        """What a rule finds, beside what is true."""
        best = curves.moments(self.curve, SAMPLE, self.end, rule, top)
        return Query(np.array([one[:2] for one in best]), self.query.windows)


def evaluate(model: Model, prepared: Prepared, section: MomentScoresConfig, split: str) -> Result:
    """Locates all queries about the videos of a split; the rule is chosen on the validation split.

    Returns:
      Nothing if no file of queries is named. Metrics: those of `metrics.moments.moment_retrieval` by name: ``model``,
      ``whole_video`` and ``chance``, random windows of lengths that training queries have, the mean of several draws;
      if clips are rated, also ``highlight_map`` and ``highlight_hit_at_1`` of ``model`` and ``chance``. As details also
      the rule, which `inference.locate` reads, and the `worst` queries.

    Raises ConfigError or FormatError if the file cannot be used or has no query about these videos.
    """
    if not section.moments:
        return Result({}, {"moments": ""})
    queries = read(section)
    validation = ask(model, prepared, queries, VALIDATION)
    rule, chosen_by = choose(validation, section.top)
    asked = validation if split == VALIDATION else ask(model, prepared, queries, split)
    if not asked:
        raise ConfigError(
            f"config.evaluators.moments.moments is {section.moments!r}, which has no query about the videos of split "
            f"{split!r}; name a file with queries about held-out videos, or '' to leave this out"
        )
    found = [one.found(rule, section.top) for one in asked]
    metrics = _known("model", moments.moment_retrieval(found))
    metrics |= _known("whole_video", moments.moment_retrieval([_whole(one) for one in asked]))
    draws = [_random(asked, queries, section.top, (model.config.seed, draw)) for draw in range(section.draws)]
    metrics |= _known("chance", moments.moment_retrieval(list(itertools.chain.from_iterable(draws))))
    metrics |= highlights(asked, rule, model.config.seed)
    details = {
        "split": split,
        "queries": len(asked),
        "videos": len({one.query.video_id for one in asked}),
        "rule": rule.as_dict(),
        "chosen_by": chosen_by,
        "by_length": by_length(found),
        "worst": worst(asked, found, section.worst),
    }
    return Result(metrics, {**metrics, **details})


def read(section: MomentScoresConfig) -> list[MomentQuery]:
    """The queries of a section. Raises ConfigError if there is no such file, FormatError for a broken one."""
    path = pathlib.Path(section.moments).expanduser()
    if not path.is_file():
        raise ConfigError(f"config.evaluators.moments.moments is {section.moments!r}, expected a file that exists")
    return read_moments(path)


def ask(model: Model, prepared: Prepared, queries: Sequence[MomentQuery], split: str) -> list[Asked]:
    """The curves of all queries about videos of a split, each of which is embedded once.

    Raises ConfigError for a query that is said to be of another split than the records of its video.
    """
    footage = Footage(prepared.source(split))
    some = [one for one in queries if one.video_id in footage]
    if wrong := next((one for one in some if one.split not in (split, None)), None):
        raise ConfigError(
            f"config.evaluators.moments.moments has query {wrong.name} about video {wrong.video_id!r} in the split "
            f"{wrong.split!r}; the records have it in {split!r}, by config.data.annotations: what is held out must be "
            "the same in both"
        )
    if not some:
        return []
    words = tokenizer.load(prepared.tokenizer)
    texts = vectors.of_texts(model, [words.encode(one.text) for one in some])
    by_video = collections.defaultdict(list)
    for number, one in enumerate(some):
        by_video[one.video_id].append(number)
    asked: dict[int, Asked] = {}
    for video_id, numbers in by_video.items():
        survey = model.surveys[footage[video_id]]
        asked |= {number: Asked(some[number], survey.curve(texts[number]), survey.seconds) for number in numbers}
    return [asked[number] for number in range(len(some))]


def choose(asked: Sequence[Asked], top: int) -> tuple[MomentRule, dict[str, float]]:
    """The rule for the queries of the validation split, and its scores there; without queries the default, and none.

    Smoothing, contrast and growth are those whose first moments have the highest mean of R1@IoU over all IoUs, then the
    overlap that with the highest mAP. Of equal rules, the first is taken.
    """
    if not asked:
        logging.warning("there is no query about a validation video: the rule for moments is the default one")
        return MomentRule(), {}
    rules = [MomentRule(*settings) for settings in itertools.product(SMOOTHING, CONTRAST, GROWTH)]
    recalls = np.mean([list(_first_recalls(one, rules)) for one in asked], axis=0)
    best = rules[int(recalls.argmax())]
    rules = [dataclasses.replace(best, overlap=overlap) for overlap in OVERLAP]
    maps = [moments.moment_retrieval([one.found(rule, top) for one in asked])["map"].value for rule in rules]
    return rules[int(np.argmax(maps))], {"mean_r1": float(recalls.max()), "map": float(max(maps))}


def _first_recalls(asked: Asked, rules: Sequence[MomentRule]) -> Iterator[float]:
    """The mean recall at 1 over all IoUs, by each rule."""
    spans = curves.candidates(len(asked.curve), int(rules[0].longest / SAMPLE))
    ious = moments.temporal_iou(np.minimum(spans * SAMPLE, asked.end), asked.query.windows).max(axis=1)
    smoothed = {samples: curves.smooth(asked.curve, samples) for samples in {rule.smoothing for rule in rules}}
    for rule in rules:
        first = curves.scores(smoothed[rule.smoothing], spans, rule).argmax()
        yield float(np.mean(ious[first] >= np.array(moments.IOUS)))


def highlights(asked: Sequence[Asked], rule: MomentRule, seed: int) -> dict[str, float]:
    """Scores of the smoothed curves, and of random ones, by how salient raters found clips of `SAMPLE` seconds."""
    rated = [(curves.smooth(one.curve, rule.smoothing), one.query.ratings) for one in asked]
    known = [(curve, ratings) for curve, ratings in rated if ratings is not None]
    if not known:
        return {}
    found, ratings = zip(*known, strict=True)
    rng = np.random.default_rng((seed, len(known)))
    tables = {"model": found, "chance": [rng.random(len(curve)) for curve in found]}
    return {
        f"{name}/highlight_{metric}": mean.value
        for name, table in tables.items()
        for metric, mean in moments.highlight_detection(table, ratings, moments.RATINGS[HIGHLIGHT]).items()
    }


def by_length(found: Sequence[Query]) -> dict[str, dict[str, float]]:
    """R1 of the queries that have true windows of some lengths; any true window may be found."""
    result = {}
    for name, (low, high) in moments.LENGTHS.items():
        lengths = [one.truth[:, 1] - one.truth[:, 0] for one in found]
        some = [one for one, known in zip(found, lengths, strict=True) if np.any((known > low) & (known <= high))]
        recalls = {f"r1_at_{iou}": [moments.recall_at_1(one, iou) for one in some] for iou in moments.RECALL_IOUS}
        result[name] = {"queries": len(some), **{key: float(np.mean(hits)) for key, hits in recalls.items() if hits}}
    return result


def worst(asked: Sequence[Asked], found: Sequence[Query], count: int) -> list[dict[str, Any]]:
    """The queries whose first moment is farthest off."""
    ious = [moments.temporal_iou(one.predicted[:1], one.truth).max() for one in found]
    return [
        {
            "query": asked[index].query.text,
            "video": asked[index].query.video_id,
            "truth": found[index].truth.tolist(),
            "found": found[index].predicted[0].tolist(),
            "iou": float(ious[index]),
        }
        for index in np.argsort(ious, kind="stable")[:count].tolist()
    ]


def _whole(asked: Asked) -> Query:
    return Query(np.array([[0.0, asked.end]]), asked.query.windows)


def _random(asked: Sequence[Asked], queries: Sequence[MomentQuery], top: int, seed: tuple[int, ...]) -> list[Query]:
    """Windows anywhere, whose lengths those of training queries have, or of all if it is not known which those are."""
    known = [one.windows for one in queries if one.split == TRAIN] or [one.windows for one in queries]
    lengths = np.concatenate([windows[:, 1] - windows[:, 0] for windows in known])
    rng, found = np.random.default_rng(seed), []
    for one in asked:
        drawn = np.minimum(rng.choice(lengths, top), one.end)
        starts = rng.random(top) * (one.end - drawn)
        found.append(Query(np.stack([starts, starts + drawn], axis=1), one.query.windows))
    return found


def _known(name: str, scores: Mapping[str, Any]) -> dict[str, float]:
    """Without those of lengths that no true window has."""
    return {f"{name}/{key}": mean.value for key, mean in scores.items() if not np.isnan(mean.value)}
