"""Several tasks at once, from a pretrained run: more pretraining, classification, answering and retrieval.

    python launch/main.py --config=configs/mixture.py:runs/demo --workdir=runs/mixture --config.data.videos=DIR \\
        --config.task.parts.action.task.labels=DIR/action.csv --config.task.parts.answering.task.questions=DIR

Hardware: two CPU cores, or one accelerator.

The config's argument is the workdir of the run to start from, whose `prepare`, `data` and `model` it has; its own
section `task` becomes that of the part "pretraining". `--config.task.parts.answering.weight=2` gives a part twice as
many rows, `=0` none; `--config.task.parts.answering.factor=2` makes its loss count twice. Each part is a model by
itself afterwards: `videobert_jax.load("runs/mixture", part="action")`.
"""

import dataclasses
import pathlib

from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import (
    AnsweringConfig,
    AnsweringScoresConfig,
    ClassificationConfig,
    ClassificationScoresConfig,
    EvaluatorConfig,
    HeldOutConfig,
    MixtureConfig,
    PartConfig,
    RetrievalConfig,
    RetrievalScoresConfig,
    UseOfVideoConfig,
)


def get_config(start: str = "runs/demo") -> ConfigDict:
    """The config of a run that starts from the one in `start`. Raises ConfigError if there is none."""
    evaluators: dict[str, EvaluatorConfig] = {
        "held_out": HeldOutConfig(every=200),
        "use_of_video_of_pretraining": UseOfVideoConfig(every=200),
        "classification_of_action": ClassificationScoresConfig(every=200),
        "answering_of_answering": AnsweringScoresConfig(every=200),
        "retrieval_of_retrieval": RetrievalScoresConfig(every=200),
    }
    tuned = config_lib.fine_tuned(start, MixtureConfig(), evaluators)
    before = config_lib.load(pathlib.Path(start) / "config.json").task
    parts = {
        "pretraining": PartConfig(weight=1.0, task=before),
        "action": PartConfig(weight=1.0, task=ClassificationConfig()),
        "answering": PartConfig(weight=2.0, task=AnsweringConfig()),
        "retrieval": PartConfig(weight=2.0, task=RetrievalConfig()),
    }
    config = config_lib.to_config_dict(dataclasses.replace(tuned, task=MixtureConfig(parts=parts)))
    config.data.max_sequences = 8  # of every row, whatever its part
    config.data.batch_size = 48
    config.model.dropout = 0.1
    config.steps = 1200
    config.optimizer.learning_rate = 5e-4
    config.optimizer.warmup_steps = 50
    config.optimizer.layer_decay = 0.8
    config.checkpoint.every = 200
    config.checkpoint.metric = "held_out/loss"
    config.checkpoint.best = "lowest"
    config.checkpoint.used = "best"
    return config
