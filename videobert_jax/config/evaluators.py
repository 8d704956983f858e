"""The sections of `evaluators`: the evaluations on held-out videos, and when they run.

The key of a section selects its class from `EVALUATORS`, which other packages may extend. A section names the functions
of its evaluator and does not import them: it can be read without JAX. "classification_of_action" is the key of the
evaluator "classification" for the part "action" of a mixture.
"""

import dataclasses
from typing import ClassVar

from videobert_jax.config.rules import COUNT, SHARE, WEIGHT, Interval, setting
from videobert_jax.config.tasks import (
    AnsweringConfig,
    ClassificationConfig,
    LabelledConfig,
    RecommendationConfig,
    RetrievalConfig,
    TaskConfig,
)


@dataclasses.dataclass(frozen=True)
class Template:
    """The rule for a sentence with two blanks."""

    def __contains__(self, value: str) -> bool:
        return value.count("[MASK]") == 2

    def __str__(self) -> str:
        return "a sentence with two [MASK], for the verb and the object"


@dataclasses.dataclass(frozen=True)
class EvaluatorConfig:
    """The fields of every evaluator.

    Attributes:
      evaluate: "module:function", (Model, Prepared, section, split) -> `evaluation.result.Result`.
      build: "module:function", (Config, Task, Prepared, section) -> `training.evaluators.Build`: how the loop runs it,
        if there is a better way than `evaluate`; "": there is none.
      mixture: whether it measures a mixture as a whole; else one part of it at a time.
      reads: arrays that the network has to read, such as "prediction_positions".
      measures: the tasks whose models it measures.
      files: fields that name files, workdirs or nothing; several are separated by ";".
      every: steps between two evaluations; 0: only after training.
    """

    evaluate: ClassVar[str]
    build: ClassVar[str] = ""
    mixture: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[type[TaskConfig]] = TaskConfig
    files: ClassVar[tuple[str, ...]] = ()
    every: int = setting(0, Interval(0))


@dataclasses.dataclass(frozen=True)
class HeldOutConfig(EvaluatorConfig):
    """The task's losses and accuracies on held-out batches."""

    evaluate: ClassVar[str] = "videobert_jax.evaluation.held_out:evaluate"
    build: ClassVar[str] = "videobert_jax.evaluation.held_out:build"
    mixture: ClassVar[bool] = True
    every: int = setting(1000, Interval(0))
    batches: int = setting(8, COUNT)


@dataclasses.dataclass(frozen=True)
class UseOfVideoConfig(EvaluatorConfig):
    """How much likelier the masked words of held-out videos are beside their own clips than beside another video's."""

    evaluate: ClassVar[str] = "videobert_jax.evaluation.use_of_video:evaluate"
    build: ClassVar[str] = "videobert_jax.evaluation.use_of_video:build"
    reads: ClassVar[tuple[str, ...]] = ("prediction_positions",)
    every: int = setting(1000, Interval(0))
    batches: int = setting(4, COUNT)


@dataclasses.dataclass(frozen=True)
class ZeroShotConfig(EvaluatorConfig):
    """Zero-shot prediction of verbs and objects for held-out videos (VideoBERT, section 4.4).

    Attributes:
      template: what is asked.
      verbs: how many verbs are asked for, the commonest of the held-out captions; 0: all.
      objects: how many objects, likewise.
      nouns: whether objects are nouns alone, as in the paper, which takes the extra `[tagger]`; else every content word
        of an imperative but its verb, "red" too.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.zero_shot:evaluate"
    reads: ClassVar[tuple[str, ...]] = ("prediction_positions",)
    template: str = setting("now let me show you how to [MASK] the [MASK]", Template())
    verbs: int = setting(45, Interval(0))  # the paper's numbers for YouCook II
    objects: int = setting(100, Interval(0))
    nouns: bool = False


@dataclasses.dataclass(frozen=True)
class ClassificationScoresConfig(EvaluatorConfig):
    """Accuracy, F1, average precision and calibration of a classifier.

    Attributes:
      bins: of equal width, for the calibration error.
      recall: at which the precision of each class is told, where a segment may have several.
      worst: how many of the least likely segments are named.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.classification:evaluate"
    measures: ClassVar[type[TaskConfig]] = LabelledConfig
    bins: int = setting(15, COUNT)
    recall: float = setting(0.8, SHARE)
    worst: int = setting(12, Interval(0))


@dataclasses.dataclass(frozen=True)
class AnsweringScoresConfig(EvaluatorConfig):
    """Accuracy of answers.

    Attributes:
      words: so many first words of a question tell its kind.
      worst: how many of the least likely answers are named.
      zero_shot: workdir of a pretrained run that is asked too, as a cloze, about the test split; "": none.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.answering:evaluate"
    measures: ClassVar[type[TaskConfig]] = AnsweringConfig
    files: ClassVar[tuple[str, ...]] = ("zero_shot",)
    words: int = setting(2, COUNT)
    worst: int = setting(12, Interval(0))
    zero_shot: str = ""


@dataclasses.dataclass(frozen=True)
class RetrievalScoresConfig(EvaluatorConfig):
    """Recall and ranks of texts and segments that belong together.

    Attributes:
      worst: how many of the texts that are found last are named.
      same: label files, separated by ";", in any format of annotations: segments with equal labels in all of them are
        right for each other's texts; "": a text is right for the segments that it was written about.
      rerank: workdir of a pretrained run whose alignment score re-orders what is found first in the test split; "":
        none.
      candidates: how many of the first are re-ordered.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.retrieval:evaluate"
    measures: ClassVar[type[TaskConfig]] = RetrievalConfig
    files: ClassVar[tuple[str, ...]] = ("same", "rerank")
    worst: int = setting(12, Interval(0))
    same: str = ""
    rerank: str = ""
    candidates: int = setting(20, COUNT)


@dataclasses.dataclass(frozen=True)
class MomentScoresConfig(EvaluatorConfig):
    """Moments and highlights that texts describe, of whole videos, by the protocol of QVHighlights.

    Attributes:
      moments: JSON Lines file of queries, as QVHighlights has them; "": there is nothing to evaluate.
      top: moments that are predicted for a query.
      draws: of random moments, whose mean score is that of chance.
      worst: how many of the queries whose first moment is farthest off are named.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.moments:evaluate"
    measures: ClassVar[type[TaskConfig]] = RetrievalConfig
    files: ClassVar[tuple[str, ...]] = ("moments",)
    moments: str = ""
    top: int = setting(10, COUNT)
    draws: int = setting(10, COUNT)
    worst: int = setting(12, Interval(0))


@dataclasses.dataclass(frozen=True)
class EventScoresConfig(EvaluatorConfig):
    """Events of whole videos: whether a classifier of windows finds them, and how far off it is where they begin.

    Attributes:
      window: seconds of the windows; 0: those that the model was trained on.
      step: seconds from window to window.
      longer: seconds; videos that are not longer do not count.
      tolerance: seconds by which the begin of an event may be off.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.events:evaluate"
    measures: ClassVar[type[TaskConfig]] = ClassificationConfig
    window: float = setting(0.0, WEIGHT)
    step: float = setting(1.0, Interval(0.1, 60))
    longer: float = setting(60.0, Interval(0))
    tolerance: float = setting(5.0, Interval(0))


@dataclasses.dataclass(frozen=True)
class RecommendationScoresConfig(EvaluatorConfig):
    """Recall, nDCG, MAP, MRR and coverage of recommended videos, beside popular and co-watched ones, and of viewers.

    Attributes:
      top: length of a list of recommendations.
    """

    evaluate: ClassVar[str] = "videobert_jax.evaluation.recommendation:evaluate"
    measures: ClassVar[type[TaskConfig]] = RecommendationConfig
    top: int = setting(10, COUNT)


def default_evaluators() -> dict[str, EvaluatorConfig]:
    """Returns the default sections."""
    return {"held_out": HeldOutConfig(), "use_of_video": UseOfVideoConfig(), "zero_shot": ZeroShotConfig()}


EVALUATORS: dict[str, type[EvaluatorConfig]] = {
    "held_out": HeldOutConfig,
    "use_of_video": UseOfVideoConfig,
    "zero_shot": ZeroShotConfig,
    "classification": ClassificationScoresConfig,
    "answering": AnsweringScoresConfig,
    "retrieval": RetrievalScoresConfig,
    "moments": MomentScoresConfig,
    "events": EventScoresConfig,
    "recommendation": RecommendationScoresConfig,
}


def evaluator_of(key: str) -> tuple[str, str]:
    """The name of an evaluator, and of the part of a mixture that it measures, or "", from the key of its section."""
    known = [name for name in EVALUATORS if key.startswith(f"{name}_of_")]
    if key in EVALUATORS or not known:
        return key, ""
    name = max(known, key=len)
    return name, key.removeprefix(f"{name}_of_")
