"""Baselines on clip features alone: linear models of scikit-learn, which a transformer over clips has to beat.

A segment is the mean of its clips' features, of the backbone, as they are stored. What has to be chosen, the strength
of the regularisation, is chosen on the validation split.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from videobert_jax.applications.suite import Measure
from videobert_jax.config import (
    AnsweringConfig,
    LabelledConfig,
    MomentScoresConfig,
    RecommendationConfig,
    RetrievalConfig,
    RetrievalScoresConfig,
)
from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TEST, TRAIN, VALIDATION, Prepared
from videobert_jax.data.segments import Segment
from videobert_jax.errors import UserError
from videobert_jax.evaluation import moments, recommendation, retrieval
from videobert_jax.evaluation.classification import truth_of
from videobert_jax.formats.moments import MomentQuery
from videobert_jax.inference.examples import all_of
from videobert_jax.inference.lengths import Lengths
from videobert_jax.inference.locate import SAMPLE, WINDOWS, Settings
from videobert_jax.inference.model import Model
from videobert_jax.metrics import labels, ranking
from videobert_jax.metrics.moments import moment_retrieval
from videobert_jax.tasks.recommendation import catalogue, histories_of

STRENGTHS = (1e-3, 1e-2, 1e-1)  # C of logistic regressions, the inverse of their regularisation
RIDGES = (1.0, 10.0, 100.0)  # of ridge regressions
COMPONENTS = 256  # of the features that linear models read


def score(model: Model, prepared: Prepared, measure: Measure) -> float | None:
    """A measure of a trained model's own task on the test split, by features alone.

    Raises UserError without scikit-learn.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UserError("the baselines take scikit-learn: pip install '.[applications]'") from error
    task = model.config.task
    if isinstance(task, LabelledConfig):
        return _classified(model, prepared, measure.metric)
    if isinstance(task, RetrievalConfig):
        compare = regression(model, prepared)
        if measure.evaluator == "moments":
            return _located(model, prepared, compare)
        return _recall(compare, model, prepared, TEST)
    assert isinstance(task, RecommendationConfig)
    return _recommended(task, prepared)


class Means:
    """The mean feature of any segment, float32 [D]."""

    def __init__(self, prepared: Prepared) -> None:
        self._of = functools.cache(lambda video_id: ClipFeatures.load(prepared.features(video_id)).features)

    def __call__(self, segments: Sequence[Segment]) -> np.ndarray:
        """Float32 [n, D]."""
        return np.stack([self._mean(one) for one in segments])

    def _mean(self, one: Segment) -> np.ndarray:
        clips = self._of(one.video_id)[one.start_clip : one.start_clip + len(one.visual_ids)]
        return np.asarray(clips, np.float32).mean(axis=0)


def _classified(model: Model, prepared: Prepared, metric: str) -> float:
    splits = {name: all_of(model, prepared, name) for name in (TRAIN, VALIDATION, TEST)}
    means, words = Means(prepared), model.tokens.text_size if isinstance(model.config.task, AnsweringConfig) else 0
    inputs = {name: means([one.segment for one in some]) for name, some in splits.items()}
    reduce = _reduction(inputs[TRAIN])
    inputs = {
        name: np.hstack([reduce(inputs[name]), bags([one.words for one in some], words)])
        for name, some in splits.items()
    }
    truth = {name: truth_of(model, some) for name, some in splits.items()}

    fitted = [_logistic(inputs[TRAIN], truth[TRAIN], strength) for strength in STRENGTHS]
    best = max(fitted, key=lambda one: _metric(metric, one(inputs[VALIDATION]), truth[VALIDATION]))
    return _metric(metric, best(inputs[TEST]), truth[TEST])


def bags(texts: Sequence[Sequence[int]], size: int) -> np.ndarray:
    """Float32 [n, size]: which of the words [0, size) are in each text; without columns for a size of 0."""
    table = np.zeros((len(texts), size), np.float32)
    for row, text in zip(table, texts, strict=True):
        row[[word for word in text if word < size]] = 1
    return table


def _reduction(features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    size = min(COMPONENTS, *features.shape)
    fitted = make_pipeline(StandardScaler(), PCA(size, random_state=0)).fit(features)
    scale = np.float32(fitted.transform(features).std())
    return lambda some: (fitted.transform(some) / scale).astype(np.float32)


def _logistic(inputs: np.ndarray, truth: np.ndarray, strength: float) -> Callable[[np.ndarray], np.ndarray]:
    """Fits inputs -> probabilities of classes: one multinomial regression, or one per class for several labels."""
    from sklearn.linear_model import LogisticRegression

    scaled = strength * 256  # inputs have deviations of about 1/16 of what scikit-learn's default expects
    if (truth.sum(axis=1) == 1).all():
        multinomial = LogisticRegression(C=scaled, max_iter=300).fit(inputs, truth.argmax(axis=1))

        def single_label(some: np.ndarray) -> np.ndarray:
            found = np.zeros((len(some), truth.shape[1]))
            found[:, multinomial.classes_] = multinomial.predict_proba(some)
            return found

        return single_label
    rate = truth.mean(axis=0)
    each = {
        number: LogisticRegression(C=scaled, max_iter=300).fit(inputs, truth[:, number])
        for number in np.flatnonzero((rate > 0) & (rate < 1)).tolist()
    }

    def multi_label(some: np.ndarray) -> np.ndarray:
        found = np.tile(rate, (len(some), 1))
        for number, one in each.items():
            found[:, number] = one.predict_proba(some)[:, 1]
        return found

    return multi_label


def _metric(name: str, found: np.ndarray, truth: np.ndarray) -> float:
    """A metric of classification, by its name in the details of the evaluator."""
    best, right = found.argmax(axis=1), truth.argmax(axis=1)
    if name == "accuracy":
        return float((best == right).mean())
    if name == "macro_f1":
        return labels.counts(labels.one_hot(best, truth.shape[1]), truth).macro_f1
    assert name == "map", name
    occurring = [one for one in range(truth.shape[1]) if truth[:, one].any()]
    return float(np.mean([labels.average_precision(found[:, one], truth[:, one]) for one in occurring]))


def chance(model: Model, prepared: Prepared, metric: str) -> float:
    """The metric of guessing: the commonest training class, classes as often as in training, or random scores."""
    training, test = (truth_of(model, all_of(model, prepared, name)).mean(axis=0) for name in (TRAIN, TEST))
    if metric == "accuracy":
        return float(test[training.argmax()])
    if metric == "macro_f1":
        return float(np.mean(2 * training * test / np.maximum(training + test, 1e-12)))
    assert metric == "map", metric
    return float(test[test > 0].mean())


Compare = Callable[[Sequence[Segment], Sequence[Sequence[int]]], np.ndarray]  # to similarities [texts, segments]


def regression(model: Model, prepared: Prepared) -> Compare:
    """A ridge regression from features to the words of captions (tf-idf), compared by the cosine."""
    from sklearn.linear_model import Ridge

    means, size = Means(prepared), model.tokens.text_size
    training = all_of(model, prepared, TRAIN)
    seen = means([one.segment for one in training])
    reduce = _reduction(seen)
    counted = bags([one.words for one in training], size)
    rarity = np.log((1 + len(counted)) / (1 + counted.sum(axis=0)))

    def tf_idf(texts: Sequence[Sequence[int]]) -> np.ndarray:
        return _unit(bags(texts, size) * rarity)

    targets = tf_idf([one.words for one in training])

    def fit(strength: float) -> Compare:
        fitted = Ridge(alpha=strength).fit(reduce(seen), targets)
        return lambda segments, texts: tf_idf(texts) @ _unit(fitted.predict(reduce(means(segments)))).T

    fits = [fit(strength) for strength in RIDGES]
    return max(fits, key=lambda compare: _recall(compare, model, prepared, VALIDATION))


def _recall(compare: Compare, model: Model, prepared: Prepared, split: str) -> float:
    section = model.config.evaluators["retrieval"]
    assert isinstance(section, RetrievalScoresConfig)
    kinds = retrieval.kinds(section.same, Footage(prepared.source(split))) if section.same else {}
    texts, segments, right = retrieval.relevance(all_of(model, prepared, split), kinds)
    scores = compare([one.segment for one in segments], [one.words for one in texts])
    return ranking.retrieval(scores, right)["recall_at_1"]


def _located(model: Model, prepared: Prepared, compare: Compare) -> float:
    """The R1@.5 of moments by the same rule as the model's, chosen on the validation split for these similarities."""
    section = model.config.evaluators["moments"]
    assert isinstance(section, MomentScoresConfig)
    queries = moments.read(section)
    lengths = moments.learn(prepared, queries)
    rule, _ = moments.choose(_asked(model, prepared, compare, queries, lengths, VALIDATION), section.top)
    found = [one.found(rule, section.top) for one in _asked(model, prepared, compare, queries, lengths, TEST)]
    return moment_retrieval(found)["r1_at_0.5"].value


def _asked(
    model: Model,
    prepared: Prepared,
    compare: Compare,
    queries: Sequence[MomentQuery],
    lengths: Lengths | None,
    split: str,
) -> list[moments.Asked]:
    footage, asked, settings = Footage(prepared.source(split)), [], Settings(lengths=lengths)
    for video_id in footage.video_ids:
        some = [one for one in queries if one.video_id == video_id]
        segments = [one for length in WINDOWS for one in footage.around(video_id, length, SAMPLE)] if some else []
        words = [model.words.encode(one.text) for one in some]
        table = compare(segments, words) if some else np.zeros((0, 0))
        seconds = float(footage[video_id].border(len(footage[video_id].visual_ids)))
        for one, ids, row in zip(some, words, table, strict=True):
            curve = row.reshape(len(WINDOWS), -1).mean(axis=0)
            asked.append(moments.Asked(one, curve, seconds, settings.expected(ids)))
    return asked


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _recommended(task: RecommendationConfig, prepared: Prepared) -> float:
    """The nDCG@10 where a video is its mean feature, whitened, and a viewer the mean of those watched."""
    videos = catalogue(prepared)
    features = Means(prepared)(list(videos.values()))
    reduced = _reduction(features)(features)
    vectors = _unit(reduced / reduced.std(axis=0))
    before = recommendation.BEFORE[TEST]
    known, right = recommendation.tables(histories_of(task, videos), list(videos), before, TEST)
    asked = known.any(axis=1) & right.any(axis=1)
    known, right = known[asked], right[asked]
    scores = np.where(known, -np.inf, _unit(known @ vectors) @ vectors.T)
    return ranking.recommendation(scores, right & ~known, 10)["ndcg_at_10"]
