"""Configs of runs that start from another one."""

import dataclasses
import pathlib
from collections.abc import Mapping
from types import MappingProxyType

from videobert_jax.config.evaluators import ClassificationScoresConfig, EvaluatorConfig
from videobert_jax.config.reading import load
from videobert_jax.config.tasks import ClassificationConfig, TaskConfig
from videobert_jax.config.tree import Config
from videobert_jax.errors import ConfigError


def fine_tuned(start: str, task: TaskConfig, evaluators: Mapping[str, EvaluatorConfig]) -> Config:
    """The config of a run in `start`, for another task: it sees videos alike, and its model has the same sizes.

    Its learning rate is half of that run's, as 5e-5 is for what starts from BERT, which had 1e-4 (Devlin et al. 2019).
    Its checkpoints are chosen by no metric; `steps` and the like are to be set.

    Raises ConfigError if there is no such run.
    """
    path = pathlib.Path(start) / "config.json"
    if not path.is_file():
        raise ConfigError(
            f"{start} is not the workdir of a run: it has no {path.name}. Pretrain one (`make demo` makes runs/demo) "
            "and name it after the config file, as in --config=configs/classification.py:runs/demo"
        )
    config = load(path)
    return dataclasses.replace(
        config,
        init_from=start,
        prepare=dataclasses.replace(config.prepare, tokenizer=""),
        task=task,
        evaluators=evaluators,
        optimizer=dataclasses.replace(config.optimizer, learning_rate=config.optimizer.learning_rate / 2),
        checkpoint=dataclasses.replace(config.checkpoint, metric=""),
    )


def classifier(
    start: str,
    task: ClassificationConfig,
    metric: str,
    evaluators: Mapping[str, EvaluatorConfig] = MappingProxyType({}),
) -> Config:
    """The config of a classifier that starts from the run in `start`: what the files for classification share.

    Its checkpoint is the best one by a metric of the evaluator `classification`; `evaluators` are further ones. Raises
    ConfigError as `fine_tuned`.
    """
    every = 50
    config = fine_tuned(start, task, {"classification": ClassificationScoresConfig(every=every), **evaluators})
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, max_sequences=4, batch_size=16),  # four examples of a row
        model=dataclasses.replace(config.model, dropout=0.1),
        steps=400,
        optimizer=dataclasses.replace(config.optimizer, warmup_steps=40),
        checkpoint=dataclasses.replace(
            config.checkpoint, every=every, metric=f"classification/{metric}", best="highest", used="best"
        ),
    )
