import dataclasses
import json
import pathlib
from typing import Any

import pytest
from ml_collections import ConfigDict
from test_recipes import load_config_file

from videobert_jax import config as config_lib
from videobert_jax.config import (
    EVALUATORS,
    TASKS,
    Config,
    EvaluatorConfig,
    HeldOutConfig,
    LossWeights,
    PretrainingConfig,
    TaskConfig,
)
from videobert_jax.config.reading import MOVED
from videobert_jax.errors import ConfigError

OLD = pathlib.Path(__file__).parent / "config_of_51d42bd.json"  # of a run of configs/base.py


@dataclasses.dataclass(frozen=True)
class Tagging(TaskConfig):
    name: str = "tagging"
    labels: int = 3


@dataclasses.dataclass(frozen=True)
class F1(EvaluatorConfig):
    threshold: float = 0.5


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extends the tables like another package."""
    monkeypatch.setitem(TASKS, "tagging", Tagging)
    monkeypatch.setitem(EVALUATORS, "f1", F1)


def test_round_trip(tmp_path: pathlib.Path) -> None:
    config = dataclasses.replace(config_lib.Config(), steps=7, model=config_lib.ModelConfig(num_layers=3))
    assert config_lib.from_config_dict(config_lib.to_config_dict(config)) == config
    (tmp_path / "config.json").write_text(config_lib.to_json(config))
    assert config_lib.load(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stesp": 3}, "config has no key 'stesp'"),
        ({"model": {"num_layer": 3}}, r"config\.model has no key 'num_layer'"),
        ({"model": 3}, r"config\.model is 3, expected a section of keys"),
        ({"steps": 3.5}, r"config\.steps is 3\.5, expected a value of type int"),
        ({"steps": True}, r"config\.steps is True"),
        ({"task": {"mask_joint": 1}}, r"config\.task\.mask_joint is 1, expected a value of type bool"),
    ],
)
def test_bad_values_are_named(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_lib.from_config_dict(ConfigDict(values))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("stesp", r"^config has no key 'stesp'; did you mean config\.steps\? The keys are checkpoint, data, "),
        ("model.num_layer", r"^config\.model has no key 'num_layer'; did you mean config\.model\.num_layers"),
        ("model.learning_rate", r"no key 'learning_rate'; did you mean config\.optimizer\.learning_rate\? The keys"),
        ("model.foo", r"^config\.model has no key 'foo'; the keys are activation, attention, "),
        ("steps.foo", r"^config\.steps is a single value; it has no key 'foo'$"),
    ],
)
def test_an_unknown_key_is_told_with_the_known_ones(key: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_lib.require_key(key)


def test_known_keys_pass() -> None:
    for key in ("steps", "model", *config_lib.flat(config_lib.Config())):
        config_lib.require_key(key)


def test_a_whole_number_will_do_for_a_float() -> None:
    rate = config_lib.from_config_dict(ConfigDict({"optimizer": {"learning_rate": 1}})).optimizer.learning_rate
    assert isinstance(rate, float)


def test_the_name_of_a_task_chooses_its_section(tables: None, tmp_path: pathlib.Path) -> None:
    config = config_lib.from_config_dict(ConfigDict({"task": {"name": "tagging", "labels": 5}}))
    assert config.task == Tagging(labels=5)
    assert config_lib.from_config_dict(config_lib.to_config_dict(config)) == config
    (tmp_path / "config.json").write_text(config_lib.to_json(config))
    assert config_lib.load(tmp_path / "config.json") == config
    config_lib.require_key("task.labels")
    with pytest.raises(ConfigError, match=r"config\.task has no key 'masking'; .* keys are labels, name$"):
        config_lib.from_config_dict(ConfigDict({"task": {"name": "tagging", "masking": 0.1}}))


@pytest.mark.parametrize("name", ["tagging", 3, ["pretraining"]])
def test_an_unknown_task_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match=r"config\.task\.name is .*, expected one of pretraining, classification, "):
        config_lib.from_config_dict(ConfigDict({"task": {"name": name}}))


def test_a_section_without_a_name_is_of_pretraining() -> None:
    task = config_lib.from_config_dict(ConfigDict({"task": {"masking": 0.3, "weights": {"video": 2}}})).task
    assert task == PretrainingConfig(masking=0.3, weights=LossWeights(video=2.0))


def test_evaluators_come_and_go(tables: None, tmp_path: pathlib.Path) -> None:
    values = config_lib.to_config_dict(Config())
    del values.evaluators.zero_shot
    del values.evaluators.use_of_video
    values.evaluators.f1 = ConfigDict({"every": 7})
    values.evaluators.held_out.every = 5
    config = config_lib.from_config_dict(values)
    assert config.evaluators == {"held_out": HeldOutConfig(every=5), "f1": F1(every=7)}
    (tmp_path / "config.json").write_text(config_lib.to_json(config))
    assert config_lib.load(tmp_path / "config.json") == config
    config_lib.require_key("evaluators.f1.threshold")


@pytest.mark.parametrize(
    ("evaluators", "message"),
    [
        (
            {"f2": {}},
            r"config\.evaluators has no key 'f2'; the keys are answering, classification, .*, zero_shot$",
        ),
        ({"held_out": 3}, r"config\.evaluators\.held_out is 3, expected a section of keys"),
        ({"held_out": {"every": "3"}}, r"config\.evaluators\.held_out\.every is '3', expected a value of type int"),
        ({"held_out": {"template": ""}}, r"held_out has no key 'template'; did you mean config\.evaluators\.zero_shot"),
        (3, r"config\.evaluators is 3, expected a section of keys"),
    ],
)
def test_bad_evaluators_are_named(evaluators: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_lib.from_config_dict(ConfigDict({"evaluators": evaluators}))


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested dictionaries to dotted keys."""
    keys: dict[str, Any] = {}
    for key, value in values.items():
        keys |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return keys


def test_every_old_key_is_known_or_has_a_new_name() -> None:
    old, now = flat(json.loads(OLD.read_text())), config_lib.flat(Config())
    assert old.keys() - now.keys() == MOVED.keys()
    assert set(MOVED.values()) <= now.keys() - old.keys()
    assert len(set(MOVED.values())) == len(MOVED)


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_who_types_an_old_key_is_told_the_new_one(old: str, new: str) -> None:
    message = rf"^config\.{old} has been renamed to config\.{new}$"
    with pytest.raises(ConfigError, match=message):
        config_lib.require_key(old)
    section, name = old.split(".")
    with pytest.raises(ConfigError, match=message):
        config_lib.from_config_dict(ConfigDict({section: {name: 1}}))


def test_an_old_file_is_the_config_that_it_was() -> None:
    values = load_config_file("base").get_config("tiny")
    del values.evaluators.use_of_video  # which came later
    assert config_lib.load(OLD) == config_lib.from_config_dict(values)


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_value_is_found_where_it_is_now(old: str, new: str, tmp_path: pathlib.Path) -> None:
    """Uses a value different from the default."""
    default = config_lib.flat(Config())[new]
    other = {bool: lambda: not default, str: lambda: "other"}.get(type(default), lambda: default + 1)()
    values = json.loads(OLD.read_text())
    section, name = old.split(".")
    values[section][name] = other
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert config_lib.flat(config_lib.load(tmp_path / "config.json"))[new] == other


def test_an_old_value_that_is_missing_has_its_default(tmp_path: pathlib.Path) -> None:
    (tmp_path / "config.json").write_text('{"evaluation": {"every": 5}, "objective": {"video": 0.5}}')
    expected = {"held_out": HeldOutConfig(every=5), "zero_shot": Config().evaluators["zero_shot"]}
    config = Config(evaluators=expected, task=PretrainingConfig(weights=LossWeights(video=0.5)))
    assert config_lib.load(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"depth": 3}}, r"config\.model has no key 'depth'; did you mean config\.prepare\.depth"),
        ({"objective": {"text": 1.0, "audio": 1.0}}, r"config has no key 'objective'"),
        (
            {"data": {"masking": 0.1}, "task": {"masking": 0.2}},
            r"config\.data\.masking has been renamed to config\.task\.masking",
        ),
        ({"data": {"masking": 0.1}, "task": 3}, r"config\.data\.masking has been renamed to config\.task\.masking"),
        (
            {"objective": {"text": 1.0}, "task": {"weights": 3}},
            r"config\.objective\.text has been renamed to config\.task\.weights",
        ),
        (
            {"evaluation": {"every": "often"}},
            r"config\.evaluators\.held_out\.every is 'often', expected a value of type",
        ),
    ],
)
def test_what_cannot_be_translated_is_named(change: dict[str, Any], message: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(change))
    with pytest.raises(
        ConfigError, match=rf"config\.json is not a config of .*: {message}.*; correct that in the file$"
    ):
        config_lib.load(path)


@pytest.mark.parametrize("text", ["", "[]", '{"steps": ', "\x00"])
def test_a_damaged_file_is_named(text: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json is damaged \(.*\); expected the config that a run wrote$"):
        config_lib.load(tmp_path / "config.json")


def test_modules_are_imported_before_the_sections_are_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that opens a run knows nothing of its task but what `config.json` says."""
    (tmp_path / "outside_task.py").write_text(
        "import dataclasses\nfrom videobert_jax import config\n"
        "@dataclasses.dataclass(frozen=True)\nclass Outside(config.TaskConfig):\n    name: str = 'outside'\n"
        "config.TASKS['outside'] = Outside\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("videobert_jax.config.reading.TASKS", tables := dict(TASKS))
    monkeypatch.setattr(config_lib, "TASKS", tables)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"modules": "json, outside_task,", "task": {"name": "outside"}}))
    config = config_lib.load(path)
    assert type(config.task).__name__ == "Outside"
    assert config_lib.load(path) == config
    assert config_lib.from_config_dict(config_lib.to_config_dict(config)) == config


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("no_such_module", r"config\.modules is 'no_such_module', expected modules that can be imported"),
        (3, r"config\.modules is 3, expected a value of type str"),
    ],
)
def test_modules_that_cannot_be_imported_are_named(modules: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_lib.from_config_dict(ConfigDict({"modules": modules}))
