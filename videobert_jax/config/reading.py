"""From what people and earlier versions wrote to a `Config`, and back.

A file in `configs/` returns a `ConfigDict`, so that every value can be overridden from the command line
(``--config.model.num_layers=2``). `from_config_dict` turns it into the typed, frozen `Config` that the program reads;
an unknown key or a value of the wrong type fails there.
"""

import copy
import dataclasses
import difflib
import importlib
import json
import pathlib
import typing
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from videobert_jax.config.evaluators import EVALUATORS, EvaluatorConfig
from videobert_jax.config.rules import flat
from videobert_jax.config.tasks import TASKS, LossWeights, PretrainingConfig, TaskConfig
from videobert_jax.config.tree import Config
from videobert_jax.errors import ConfigError

SECTIONS = Mapping[str, EvaluatorConfig]  # sections by name, each of the class that its name chooses

# Keys of earlier versions, each of a section, and where their values are now.
MOVED = {
    "model.init_from": "init_from",
    "evaluation.every": "evaluators.held_out.every",
    "evaluation.batches": "evaluators.held_out.batches",
    "evaluation.template": "evaluators.zero_shot.template",
    "evaluation.storyboards": "report.storyboards",
    **{f"objective.{field.name}": f"task.weights.{field.name}" for field in dataclasses.fields(LossWeights)},
    **{
        f"data.{field.name}": f"task.{field.name}"
        for field in dataclasses.fields(PretrainingConfig)
        if field.name not in ("name", "weights")
    },
}


def to_config_dict(config: Config) -> ConfigDict:
    """The same values as a `ConfigDict`, for `configs/` and the command line."""
    return ConfigDict(dataclasses.asdict(config))


def from_config_dict(values: ConfigDict) -> Config:
    """The typed, frozen form. Raises ConfigError that names the key for an unknown key or a wrong type."""
    return _read(values.to_dict())


def to_json(config: Config) -> str:
    """The text that `load` reads."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def load(path: pathlib.Path) -> Config:
    """Reads a file of what `to_json` gives, or gave in an earlier version; a key that it lacks has its default.

    Raises ConfigError as `from_config_dict` does, and if the file is damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is damaged ({error}); expected the config that a run wrote") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is damaged (it holds {type(values).__name__}); expected the config that a run wrote")
    try:
        return _read(_translated(values))
    except ConfigError as error:
        raise ConfigError(f"{path} is not a config of this version: {error}; correct that in the file") from error


def require_key(key: str) -> None:
    """Raises ConfigError unless a config has the dotted `key`, be it of a value or of a section."""
    kind: Any = Config
    where = "config"
    for name in key.split("."):
        kind, where = _type_of(kind, name, where, key), f"{where}.{name}"


def _read(values: Mapping[str, Any]) -> Config:
    if old := _old_keys(values):
        raise ConfigError("; ".join(map(_renamed, old)))
    _import(values.get("modules", Config.modules))
    return _build(Config, values, "config")


def _import(modules: Any) -> None:
    """Imports the modules that a config names, which add to the tables of tasks and evaluators."""
    names = modules.split(",") if isinstance(modules, str) else []  # another type is told by `_build`
    for name in filter(None, map(str.strip, names)):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"config.modules is {modules!r}, expected modules that can be imported ({error}); install their "
                "package, or add its parent folder to PYTHONPATH"
            ) from error


def _old_keys(values: Mapping[str, Any]) -> list[str]:
    """Those keys of earlier versions that it has."""
    places = {old: old.split(".") for old in MOVED}
    return [old for old, (section, name) in places.items() if name in _section(values, section)]


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return section if isinstance(section, dict) else {}


def _renamed(old: str) -> str:
    return f"config.{old} is called config.{MOVED[old]} now"


def _keys(kind: Any) -> Mapping[str, Any]:
    """The keys of a section, or of any that can stand in its place, and the type of what each holds."""
    if kind == SECTIONS:
        return EVALUATORS
    kinds = TASKS.values() if kind is TaskConfig else [kind] if dataclasses.is_dataclass(kind) else []
    types = [(typing.get_type_hints(each), dataclasses.fields(each)) for each in kinds]
    return {field.name: hints[field.name] for hints, fields in types for field in fields}


def _type_of(kind: Any, name: str, where: str, key: str = "") -> Any:
    """The type of what a section holds by this name. Raises ConfigError if there is no such name, or section."""
    keys = _keys(kind)
    if name in keys:
        return keys[name]
    if key in MOVED:
        raise ConfigError(_renamed(key))
    if not keys:
        raise ConfigError(f"{where} is a single value; it has no key {name!r}")
    elsewhere = [f"config.{key}" for key in flat(Config()) if key.split(".")[-1] == name]
    meant = elsewhere or [f"{where}.{close}" for close in difflib.get_close_matches(name, keys, n=1)]
    hint = f"did you mean {' or '.join(meant)}? The" if meant else "the"
    raise ConfigError(f"{where} has no key {name!r}; {hint} keys are {', '.join(sorted(keys))}")


def _build(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    if kind is TaskConfig:
        kind = _task_type(values.get("name", PretrainingConfig.name), f"{where}.name")
    parts = {name: _convert(_type_of(kind, name, where), value, f"{where}.{name}") for name, value in values.items()}
    return parts if kind == SECTIONS else kind(**parts)


def _task_type(name: Any, where: str) -> type[TaskConfig]:
    if name not in list(TASKS):  # it may be of any type
        raise ConfigError(f"{where} is {name!r}, expected one of {', '.join(TASKS)}")
    return TASKS[name]


def _convert(kind: Any, value: Any, where: str) -> Any:
    is_section = kind == SECTIONS or dataclasses.is_dataclass(kind)
    if is_section and isinstance(value, dict):
        return _build(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        expected = "a section of keys" if is_section else f"a value of type {kind.__name__}"
        raise ConfigError(f"{where} is {value!r}, expected {expected}")
    return value


def _translated(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a JSON file with each old key where it is now; one whose place is taken stays, and so is told."""
    now = copy.deepcopy(dict(values))
    for old in _old_keys(values):
        section, name = old.split(".")
        *path, last = MOVED[old].split(".")
        target: Any = now
        for part in path:
            target = target.setdefault(part, {}) if isinstance(target, dict) else None
        if isinstance(target, dict) and last not in target:
            target[last] = now[section].pop(name)
            if not now[section]:
                del now[section]
    return now
