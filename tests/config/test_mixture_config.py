"""The section of several tasks at once."""

import dataclasses
import json
import pathlib
import re
from typing import Any

import pytest
from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import (
    AnsweringConfig,
    AnsweringScoresConfig,
    ClassificationConfig,
    ClassificationScoresConfig,
    Config,
    HeldOutConfig,
    MixtureConfig,
    PartConfig,
    RetrievalConfig,
    UseOfVideoConfig,
    check,
    evaluator_of,
)
from videobert_jax.errors import ConfigError
from videobert_jax.training.workdir import Workdir

PARTS = {
    "pretraining": PartConfig(),
    "action": PartConfig(weight=2.0, task=ClassificationConfig()),
    "answering": PartConfig(factor=0.5, task=AnsweringConfig(questions="questions")),
}
EVALUATORS = {"held_out": HeldOutConfig(), "classification_of_action": ClassificationScoresConfig(every=10)}


def mixture(parts: dict[str, PartConfig] = PARTS, evaluators: dict[str, Any] = EVALUATORS) -> Config:
    return Config(task=MixtureConfig(parts=parts), evaluators=evaluators)


def test_round_trip(tmp_path: pathlib.Path) -> None:
    config = mixture()
    check(config)
    assert config_lib.from_config_dict(config_lib.to_config_dict(config)) == config
    (tmp_path / "config.json").write_text(config_lib.to_json(config))
    assert config_lib.load(tmp_path / "config.json") == config


def test_values_of_a_part_are_set_like_others() -> None:
    values = config_lib.to_config_dict(mixture())
    values.task.parts.answering.weight = 2
    values.task.parts.action.task.labels = "labels.csv"
    values.evaluators.classification_of_action.every = 5
    config = config_lib.from_config_dict(values)
    assert config.task.parts["answering"].weight == 2.0
    assert config.task.parts["action"].task.labels == "labels.csv"
    assert config.evaluators["classification_of_action"].every == 5
    config_lib.require_key("task.parts.action.task.labels")
    keys = {change.key for change in config_lib.changes(mixture(), config) if not change.may_change}
    assert keys == {"task.parts.answering.weight", "task.parts.action.task.labels"}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"a": {"wight": 1}}, "config.task.parts.a has no key 'wight'; did you mean config.task.parts.a.weight?"),
        ({"a": {"task": {"name": "swimming"}}}, "config.task.parts.a.task.name is 'swimming', expected one of"),
        ({"a": {"task": {"name": "retrieval", "labels": ""}}}, "config.task.parts.a.task has no key 'labels'"),
        ({"a": 3}, "config.task.parts.a is 3, expected a section of keys"),
    ],
)
def test_what_is_no_part_is_refused(parts: dict[str, Any], message: str) -> None:
    values = json.loads(config_lib.to_json(Config(task=MixtureConfig())))
    values["task"]["parts"] = parts
    with pytest.raises(ConfigError, match=re.escape(message)):
        config_lib.from_config_dict(ConfigDict(values))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (mixture({}, {}), "config.task.name is 'mixture', expected another task, or at least one part in task.parts"),
        (
            mixture({"a": PartConfig(0.0), "b": PartConfig(0.0)}, {}),
            "config.task.parts.a.weight is 0.0, expected more than 0 for at least one part",
        ),
        (mixture({"a": PartConfig(-1.0)}, {}), "config.task.parts.a.weight is -1.0, expected a number in [0, 1000000]"),
        (
            mixture({"a": PartConfig(task=MixtureConfig(parts=PARTS))}, {}),
            "config.task.parts.a.task.name is 'mixture', expected another task than a mixture",
        ),
        (mixture({"a/b": PartConfig()}, {}), "expected letters, digits and _ in the name of the part, which is 'a/b'"),
        (
            mixture({"a": PartConfig(task=AnsweringConfig())}, {}),
            "config.task.parts.a.task.questions is '', expected the folder of the questions",
        ),
        (
            mixture(evaluators={"answering_of_retrieval": AnsweringScoresConfig()}),
            "'answering_of_retrieval', expected one of a part of config.task (pretraining, action, answering)",
        ),
        (
            mixture(evaluators={"use_of_video": UseOfVideoConfig()}),
            "expected the name of the part that it measures in it, as in 'use_of_video_of_pretraining'",
        ),
        (
            Config(task=RetrievalConfig(), evaluators=EVALUATORS),
            "'classification_of_action', expected one of a part of config.task (it is no mixture)",
        ),
    ],
)
def test_mixtures_that_make_no_sense_are_refused(config: Config, message: str) -> None:
    metric = dataclasses.replace(config.checkpoint, metric="")
    with pytest.raises(ConfigError, match=re.escape(message)):
        check(dataclasses.replace(config, checkpoint=metric))


def test_the_key_of_an_evaluator_names_its_part() -> None:
    keys = ("use_of_video", "use_of_video_of_a", "classification_of_a_of_b", "classification", "unknown_of_a")
    assert [evaluator_of(key) for key in keys] == [
        ("use_of_video", ""),
        ("use_of_video", "a"),
        ("classification", "a_of_b"),
        ("classification", ""),
        ("unknown_of_a", ""),
    ]


def test_a_resumed_run_has_the_classes_that_it_began_with(tmp_path: pathlib.Path) -> None:
    begun = {**PARTS, "action": PartConfig(weight=2.0, task=ClassificationConfig(classes="cut;stir"))}
    workdir = Workdir(tmp_path)
    workdir.config_file.write_text(config_lib.to_json(mixture(begun)))
    (workdir.checkpoints / "1").mkdir(parents=True)
    assert workdir.completed(mixture()) == mixture(begun)
    other = {**begun, "action": PartConfig(weight=2.0, task=RetrievalConfig())}
    assert workdir.completed(mixture(other)) == mixture(other)  # which `check` refuses
