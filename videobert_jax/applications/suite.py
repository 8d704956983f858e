"""The applications that are measured: their tasks, the variants of each run, and the rows of the table."""

import dataclasses
from collections.abc import Mapping, Sequence

PRETRAINING = "pretraining"
# How a run differs from the one that is measured: what it starts from, or what it reads.
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "pretrained": {},
    "scratch": {"init_from": ""},
    "language_only": {"task.inputs": "words"},
    "video_only": {"task.inputs": "video"},
}
SEEDED = ("pretrained", "scratch")  # the variants that are trained with every seed


@dataclasses.dataclass(frozen=True)
class Measure:
    """A row of the table.

    Attributes:
      name: of the application.
      evaluator: whose details in ``evaluation/<evaluator>.json`` hold the metric.
      metric: by its name there; the higher, the better.
      chance: the metric of guessing, by its name there; "": it is computed from the labels.
      baselines: further metrics there, by the names that the table gives them.
      count: the number of test examples, by its name there.
    """

    name: str
    evaluator: str
    metric: str
    chance: str = ""
    baselines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    count: str = "examples"


@dataclasses.dataclass(frozen=True)
class Application:
    """A task that is trained.

    Attributes:
      name: of its runs.
      config: of `configs/`, without suffix.
      values: of the config; ``{corpus}`` stands for the folder of the corpus.
      measures: what is read from its runs.
    """

    name: str
    config: str
    values: Mapping[str, str]
    measures: Sequence[Measure]


CORPUS = "{corpus}"
# Examples are short and few: many in a row, and few rows, take the same number of examples in less time.
SHORT = {"data.max_sequences": "8", "data.batch_size": "8"}
# What a few hundred videos show is not learnt by heart so soon.
VARIED = {"model.feature_noise": "0.5", "data.drop_clips": "0.2"}
SUITE = (
    Application(
        "action",
        "classification",
        {"task.labels": f"{CORPUS}/action.csv", "steps": "200", **SHORT},
        [Measure("classification_action", "classification", "accuracy")],
    ),
    Application(
        "food",
        "classification",
        {
            "task.labels": f"{CORPUS}/food.csv",
            "task.multiple": "True",
            "task.window": "60",  # longer than a short video: all foods that are seen in it
            "checkpoint.metric": "classification/map",
            **SHORT,
            **VARIED,
        },
        [Measure("classification_food", "classification", "map")],
    ),
    Application(
        "sentiment",
        "sentiment",
        {"task.labels": f"{CORPUS}/sentiment.csv"},
        [Measure("sentiment", "classification", "macro_f1")],
    ),
    Application(
        "moderation",
        "moderation",
        {"task.labels": f"{CORPUS}/unsafe.csv"},
        [Measure("moderation", "classification", "map")],
    ),
    Application(
        "answering",
        "answering",
        {"task.questions": CORPUS, "data.max_sequences": "8", "steps": "1500"},
        [Measure("answering", "answering", "accuracy", chance="prior", count="questions")],
    ),
    Application(
        "retrieval",
        "retrieval",
        {
            "steps": "300",
            "evaluators.retrieval.same": f"{CORPUS}/action.csv;{CORPUS}/food.csv",
            "evaluators.moments.moments": f"{CORPUS}/moments.jsonl",
        },
        [
            Measure(
                "retrieval",
                "retrieval",
                "text_to_video/recall_at_1",
                chance="text_to_video/chance",
                count="texts",
            ),
            Measure(
                "moments",
                "moments",
                "model/r1_at_0.5",
                chance="chance/r1_at_0.5",
                baselines={"whole_video": "whole_video/r1_at_0.5"},
                count="queries",
            ),
        ],
    ),
    Application(
        "recommendation",
        "recommendation",
        {"task.histories": f"{CORPUS}/histories.csv", "data.batch_size": "32"},
        [
            Measure(
                "recommendation",
                "recommendation",
                "model/ndcg_at_10",
                chance="chance/ndcg_at_10",
                baselines={"popularity": "popularity/ndcg_at_10", "co_watched": "co_watched/ndcg_at_10"},
                count="viewers",
            )
        ],
    ),
)
