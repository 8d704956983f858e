"""Evaluators: which a config asks for, and when they run. `config.evaluators` says what each is."""

import functools
import json
import pathlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from videobert_jax.config import Config, EvaluatorConfig, TaskConfig, check_evaluators, evaluator_of
from videobert_jax.data.prepared import TEST, VALIDATION, Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation.result import Result
from videobert_jax.files import write_text
from videobert_jax.inference.model import Model
from videobert_jax.model.mixture import Mixture
from videobert_jax.tasks import mixture
from videobert_jax.tasks.task import Task
from videobert_jax.training.evaluators import Build, Evaluator, Evaluators, Measure
from videobert_jax.training.program import Program
from videobert_jax.training.workdir import Workdir


def for_training(config: Config, task: Task, prepared: Prepared) -> Evaluators:
    """The evaluators that run while a model is trained: those with an `every`.

    Raises ConfigError if one of them, or of those that run at the end, needs what this task's network does not read, a
    file that does not exist, or held-out examples that there are not.
    """
    for key, section in config.evaluators.items():
        part = evaluator_of(key)[1]
        measured = task.parts[part] if part else task
        if missing := set(section.reads) - set(measured.network.reads):
            raise ConfigError(
                f"config.evaluators has {key}, which needs a network that reads {', '.join(sorted(missing))}; that of "
                f"config.task.name={config.task.name!r} does not: remove it from the evaluators in the config file"
            )
        require_files(key, section)
        if section.measures is not TaskConfig:  # else records are all that is needed
            for split in dict.fromkeys((VALIDATION, last_split(prepared))):
                measured.examples(prepared, split)
    due = {name: section for name, section in config.evaluators.items() if section.every}
    return {key: Evaluator(section.every, _build_of(config, task, prepared, key)) for key, section in due.items()}


def at_end(model: Model, workdir: Workdir, prepared: Prepared) -> dict[str, Result]:
    """Runs the evaluators on the test split, and writes the details of each to its file in the workdir.

    Without a test split, it is the validation split, by which checkpoints may have been chosen. Evaluators that the
    loop runs in a way of its own are left out: the log has their newest metrics.
    """
    check_evaluators(model.config)
    results, split = {}, last_split(prepared)
    for name, section in model.config.evaluators.items():
        if not (section.every and section.build):
            part = evaluator_of(name)[1]
            results[name] = _evaluate(model.part(part) if part else model, prepared, section, split)
            text = json.dumps(results[name].details, indent=2, allow_nan=False) + "\n"
            write_text(workdir.evaluation(name), text)
    return results


def last_split(prepared: Prepared) -> str:
    """The split that is reported."""
    return TEST if TEST in prepared.splits else VALIDATION


def require_files(key: str, section: EvaluatorConfig) -> None:
    """Raises ConfigError unless all files exist that the section of an evaluator names."""
    for field in section.files:
        names = (name.strip() for name in getattr(section, field).split(";"))
        for name in filter(None, names):
            if not pathlib.Path(name).expanduser().exists():
                raise ConfigError(
                    f"config.evaluators.{key}.{field} names {name!r}, expected a file or folder that exists; set "
                    f"--config.evaluators.{key}.{field}"
                )


def _evaluate(model: Model, prepared: Prepared, section: EvaluatorConfig, split: str) -> Result:
    return pkgutil.resolve_name(section.evaluate)(model, prepared, section, split)


def _build_of(config: Config, task: Task, prepared: Prepared, key: str) -> Build:
    """How the loop runs an evaluator, on its part of a mixture or on the whole."""
    section, part = config.evaluators[key], evaluator_of(key)[1]
    if not part:
        return _build(config, task, prepared, section)
    network, own = task.network, task.parts[part]
    assert isinstance(network, Mixture)
    params_of = functools.partial(network.params_of, part=part)
    build = _build(mixture.config_of(config, part), own, prepared, section)

    def for_program(program: Program) -> Measure:
        measure = build(program.of_part(own, params_of))
        return lambda params: measure(params_of(params))

    return for_program


def _build(config: Config, task: Task, prepared: Prepared, section: EvaluatorConfig) -> Build:
    if section.build:
        return pkgutil.resolve_name(section.build)(config, task, prepared, section)

    def build(program: Program) -> Measure:
        def measure(params: Any) -> Mapping[str, float]:
            return _evaluate(Model(config, task, params, prepared), prepared, section, VALIDATION).metrics

        return measure

    return build
