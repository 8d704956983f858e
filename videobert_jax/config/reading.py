"""Parses a `Config` from a ConfigDict or JSON, also of earlier versions, and writes it.

A file in `configs/` returns a `ConfigDict`, so that every value can be overridden from the command line
(``--config.model.num_layers=2``). `from_config_dict` turns it into the typed, frozen `Config`.
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

from videobert_jax.config.evaluators import EVALUATORS, EvaluatorConfig, evaluator_of
from videobert_jax.config.rules import flat
from videobert_jax.config.tasks import TASKS, PartConfig, PretrainingConfig, TaskConfig
from videobert_jax.config.tree import Config
from videobert_jax.errors import ConfigError, MissingModuleError

SECTIONS = Mapping[str, EvaluatorConfig]  # sections by name; each name selects a class
PARTS = Mapping[str, PartConfig]  # sections by any name

# Key of an earlier version, always section.name -> current key.
MOVED = {
    "model.init_from": "init_from",
    "evaluation.every": "evaluators.held_out.every",
    "evaluation.batches": "evaluators.held_out.batches",
    "evaluation.template": "evaluators.zero_shot.template",
    "evaluation.storyboards": "report.storyboards",
    **{f"objective.{name}": f"task.weights.{name}" for name in ("text", "video", "alignment")},
    **{
        f"data.{name}": f"task.{name}"
        for name in (
            *("text_only", "video_only", "joint", "misaligned", "misaligned_from", "concatenate", "max_subsampling"),
            *("min_clips", "video_only_tokens", "masking", "mask_video", "mask_joint", "mask_misaligned"),
            *("max_predictions", "chunks_per_row"),
        )
    },
}


def to_config_dict(config: Config) -> ConfigDict:
    """Returns the same values as a `ConfigDict`, for `configs/` and the command line."""
    return ConfigDict(dataclasses.asdict(config))


def from_config_dict(values: ConfigDict) -> Config:
    """Parses a `ConfigDict`. Raises ConfigError, naming the key, for an unknown key or a wrong type."""
    return _read(values.to_dict())


def to_json(config: Config) -> str:
    """Returns the JSON text that `load` reads."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def load(path: pathlib.Path) -> Config:
    """Reads a file that `to_json` of any version wrote; missing keys get defaults. Raises ConfigError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is damaged ({error}); expected the config that a run wrote") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is damaged (it holds {type(values).__name__}); expected the config that a run wrote")
    try:
        return _read(_translated(values))
    except MissingModuleError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path} is not a config of this version: {error}; correct that in the file") from error


def require_key(key: str) -> None:
    """Raises ConfigError unless the dotted `key` is that of a value or section."""
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
            raise MissingModuleError(
                f"config.modules is {modules!r}, expected modules that can be imported ({error}); install their "
                "package, or add its parent folder to PYTHONPATH"
            ) from error


def _old_keys(values: Mapping[str, Any]) -> list[str]:
    """Those keys of earlier versions that it has."""
    return [old for old in MOVED if _has(values, *old.split("."))]


def _has(values: Mapping[str, Any], section: str, name: str) -> bool:
    return isinstance(values.get(section), dict) and name in values[section]


def _renamed(old: str) -> str:
    return f"config.{old} has been renamed to config.{MOVED[old]}"


def _keys(kind: Any) -> Mapping[str, Any]:
    """Returns key -> type for a section; if its class depends on a name, for all of the classes."""
    if kind == SECTIONS:
        return EVALUATORS
    kinds = TASKS.values() if kind is TaskConfig else [kind] if dataclasses.is_dataclass(kind) else []
    types = [(typing.get_type_hints(each), dataclasses.fields(each)) for each in kinds]
    return {field.name: hints[field.name] for hints, fields in types for field in fields}


def _type_of(kind: Any, name: str, where: str, key: str = "") -> Any:
    """Returns the type of a section's key. Raises ConfigError if there is no such key or section."""
    if kind == PARTS:
        return PartConfig
    keys = _keys(kind)
    name = evaluator_of(name)[0] if kind == SECTIONS else name
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
    return parts if kind in (SECTIONS, PARTS) else kind(**parts)


def _task_type(name: Any, where: str) -> type[TaskConfig]:
    if name not in list(TASKS):  # it may be of any type
        raise ConfigError(f"{where} is {name!r}, expected one of {', '.join(TASKS)}")
    return TASKS[name]


def _convert(kind: Any, value: Any, where: str) -> Any:
    is_section = kind in (SECTIONS, PARTS) or dataclasses.is_dataclass(kind)
    if is_section and isinstance(value, dict):
        return _build(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        expected = "a section of keys" if is_section else f"a value of type {kind.__name__}"
        raise ConfigError(f"{where} is {value!r}, expected {expected}")
    return value


def _translated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Moves the values of old keys to the new ones; if both exist, keeps the old one, which is then reported."""
    now = copy.deepcopy(dict(values))
    if "evaluation" in now:  # then every run had both of these
        now.setdefault("evaluators", {"held_out": {}, "zero_shot": {}})
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
