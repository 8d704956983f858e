"""Scores of the moments and highlights found in whole videos by text, by the protocol of QVHighlights."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from videobert_jax import tokenizer
from videobert_jax.config import MomentScoresConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TRAIN, VALIDATION, Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation.result import Result
from videobert_jax.formats.moments import CLIP, MomentQuery, read_moments
from videobert_jax.inference import curves, vectors
from videobert_jax.inference.curves import MomentRule
from videobert_jax.inference.lengths import Lengths
from videobert_jax.inference.locate import SAMPLE, Settings
from videobert_jax.inference.model import Model
from videobert_jax.metrics import moments
from videobert_jax.metrics.moments import Query

# The grid from which the rule is chosen.
SMOOTHING, CONTRAST, GROWTH = (1, 3, 5), (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5)
LENGTH, OVERLAP = (0.0, 0.1, 0.2, 0.4, 0.8), (0.1, 0.3, 0.5)
HIGHLIGHT = "very_good"  # of `RATINGS`; what is published


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """A query and its similarities over its video.

    Attributes:
      query: as it was read.
      curve: float [samples], its similarities over the video.
      end: of the video, seconds.
      expected: how many seconds such moments last, if known.
    """

    query: MomentQuery
    curve: np.ndarray
    end: float
    expected: float | None

    def found(self, rule: MomentRule, top: int) -> Query:
        """What a rule finds, beside what is true."""
        best = curves.moments(self.curve, SAMPLE, self.end, rule, top, self.expected)
        return Query(np.array([one[:2] for one in best]), self.query.windows)


def evaluate(model: Model, prepared: Prepared, section: MomentScoresConfig, split: str) -> Result:
    """Locates all queries about the videos of a split.

    How long moments are by the words of a query is learnt from the training queries of the file, whose videos are not
    looked at; the rule is chosen on the validation split.

    Returns:
      Nothing if no file of queries is named. Metrics: those of `metrics.moments.moment_retrieval` by name: ``model``;
      ``chance``, random windows that are as long as those of training queries, the mean of several draws; ``words``,
      the same with the length that the words of the query predict; ``whole_video``. If clips are rated, also
      ``highlight_map`` and ``highlight_hit_at_1`` of ``model`` and ``chance``. As details also the settings, which
      `inference.locate` reads, and the `worst` queries.

    Raises ConfigError or FormatError if the file cannot be used or has no query about these videos.
    """
    if not section.moments:
        return Result({}, {"moments": ""})
    queries = read(section)
    lengths = learn(prepared, queries)
    validation = ask(model, prepared, queries, lengths, VALIDATION)
    rule, chosen_by = choose(validation, section.top)
    asked = validation if split == VALIDATION else ask(model, prepared, queries, lengths, split)
    if not asked:
        raise ConfigError(
            f"config.evaluators.moments.moments is {section.moments!r}, which has no query about the videos of split "
            f"{split!r}; name a file with queries about held-out videos, or '' to leave this out"
        )
    found = [one.found(rule, section.top) for one in asked]
    predicted = {
        "model": found,
        "whole_video": [_whole(one) for one in asked],
        **_blind(asked, queries, section, model),
    }
    metrics = {
        f"{name}/{key}": mean.value
        for name, each in predicted.items()
        for key, mean in moments.moment_retrieval(each).items()
        if mean.count  # some length that a true window has
    }
    metrics |= highlights(asked, rule, model.config.seed)
    details = {
        "split": split,
        "queries": len(asked),
        "videos": len({one.query.video_id for one in asked}),
        "settings": Settings(rule, lengths).as_dict(),
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


def learn(prepared: Prepared, queries: Sequence[MomentQuery]) -> Lengths | None:
    """How long the moments of training queries are; None if the file does not say which queries those are."""
    words, some = tokenizer.load(prepared.tokenizer), [one for one in queries if one.split == TRAIN]
    if not some:
        return None
    seconds = [float(np.exp(np.log(np.diff(one.windows)).mean())) for one in some]
    return Lengths.fit([words.encode(one.text) for one in some], seconds)


def ask(
    model: Model, prepared: Prepared, queries: Sequence[MomentQuery], lengths: Lengths | None, split: str
) -> list[Asked]:
    """All queries about videos of a split, each of which is embedded once.

    Raises ConfigError for a query that is said to be of another split than the records of its video, or whose window
    begins after the end of the video as it was prepared.
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
    tokens = tokenizer.load(prepared.tokenizer)
    words = [tokens.encode(one.text) for one in some]
    settings, texts = Settings(lengths=lengths), vectors.of_texts(model, words)
    asked = []
    for number in sorted(range(len(some)), key=lambda number: some[number].video_id):  # all of a video together
        survey = model.surveys[footage[some[number].video_id]]
        require_inside(some[number], survey.seconds)
        curve = survey.curve(texts[number])
        asked.append(Asked(some[number], curve, survey.seconds, settings.expected(words[number])))
    return asked


def require_inside(query: MomentQuery, seconds: float) -> None:
    """Raises ConfigError if a window of a query begins after the end of its video, which lasts so many seconds."""
    last = float(query.windows[:, 0].max())
    if last >= seconds + CLIP:
        raise ConfigError(
            f"config.evaluators.moments.moments has query {query.name} about video {query.video_id!r} with a window "
            f"from {last:g} s, but the video lasts {seconds:g} s (in the file {query.duration:g} s); expected "
            "windows in the video: correct the file, or use the videos that it is about"
        )


def choose(asked: Sequence[Asked], top: int) -> tuple[MomentRule, dict[str, float]]:
    """The rule for the queries of the validation split, and its scores there; without queries the default, and none.

    All settings but the overlap are those whose first moments have the highest mean of R1@IoU over all IoUs, then the
    overlap is that with the highest mAP. Of equal rules, the first is taken.
    """
    if not asked:
        logging.warning("there is no query about a validation video: the rule for moments is the default one")
        return MomentRule(), {}
    rules = [MomentRule(*values) for values in itertools.product(SMOOTHING, CONTRAST, GROWTH, LENGTH)]
    recalls = np.mean([list(_first_recalls(one, rules)) for one in asked], axis=0)
    best = rules[int(recalls.argmax())]
    rules = [dataclasses.replace(best, overlap=overlap) for overlap in OVERLAP]
    maps = [moments.moment_retrieval([one.found(rule, top) for one in asked])["map"].value for rule in rules]
    return rules[int(np.argmax(maps))], {"mean_r1": float(recalls.max()), "map": float(max(maps))}


def _first_recalls(asked: Asked, rules: Sequence[MomentRule]) -> Iterator[float]:
    """The mean recall at 1 over all IoUs, by each rule."""
    spans = curves.candidates(len(asked.curve), int(rules[0].longest / SAMPLE))
    ious = moments.temporal_iou(np.minimum(spans * SAMPLE, asked.end), asked.query.windows).max(axis=1)
    recalls = np.mean(ious[:, None] >= np.array(moments.IOUS), axis=1)
    smoothed = {samples: curves.smooth(asked.curve, samples) for samples in {rule.smoothing for rule in rules}}
    misfit = curves.misfit(spans, SAMPLE, asked.expected)
    for rule in rules:
        fit = curves.scores(smoothed[rule.smoothing], spans, rule) - rule.length * misfit
        yield float(recalls[fit.argmax()])


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


def _blind(
    asked: Sequence[Asked], queries: Sequence[MomentQuery], section: MomentScoresConfig, model: Model
) -> dict[str, list[Query]]:
    """The baselines `chance` and `words`, which place windows at random.

    Those of `chance` are as long as windows of training queries, or of all queries if the file has no splits; those of
    `words` have the length that the words of the query predict.
    """
    known = [one.windows for one in queries if one.split == TRAIN] or [one.windows for one in queries]
    lengths = np.concatenate([np.diff(windows)[:, 0] for windows in known])
    result: dict[str, list[Query]] = {"chance": [], "words": []}
    for draw in range(section.draws):
        rng = np.random.default_rng((model.config.seed, draw))
        for one in asked:
            drawn, place = rng.choice(lengths, section.top), rng.random(section.top)
            expected = drawn if one.expected is None else np.full(section.top, one.expected)
            for name, seconds in (("chance", drawn), ("words", expected)):
                seconds = np.minimum(seconds, one.end)
                starts = place * (one.end - seconds)
                result[name].append(Query(np.stack([starts, starts + seconds], axis=1), one.query.windows))
    return result
