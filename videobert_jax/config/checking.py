"""Validates a config, except the name of the backbone and divisibility by the devices, which are checked where used."""

import dataclasses
from collections.abc import Iterator

from videobert_jax.config.evaluators import evaluator_of
from videobert_jax.config.rules import settings
from videobert_jax.config.tasks import MixtureConfig
from videobert_jax.config.tree import Config, MeshConfig
from videobert_jax.errors import ConfigError


def check(config: Config) -> None:
    """Raises ConfigError, with a line per problem, if a value is out of range or contradicts another."""
    values = {one.key: one for one in settings(config)}
    problems = [(key, str(rule)) for key, value, rule, _ in values.values() if rule is not None and value not in rule]
    problems = problems or list(_contradictions(config))  # assumes that each value is in range
    lines = [
        f"config.{key} is {values[key].value!r}, expected {expected}; set --config.{key}" for key, expected in problems
    ]
    if lines:
        raise ConfigError("\n".join(lines))
    check_evaluators(config)


def check_evaluators(config: Config) -> None:
    """Raises ConfigError if an evaluator measures no such task, or no such part of a mixture."""
    if lines := list(_unmeasurable(config)):
        raise ConfigError("\n".join(lines))


def _contradictions(config: Config) -> Iterator[tuple[str, str]]:
    """Yields (key, expected value) for each value that contradicts others."""
    data, model, micro_batches = config.data, config.model, config.optimizer.accumulation
    if (data.transcripts or data.annotations) and not data.videos:
        yield "data.videos", "the folder of the videos that data.transcripts and data.annotations describe"
    if config.prepare.backbone == "precomputed" and not data.videos:
        yield "data.videos", "the folder of the precomputed features"
    if data.sequence_length > model.max_positions:
        yield "data.sequence_length", f"at most model.max_positions, which is {model.max_positions}"
    if model.hidden_size % model.num_heads:
        yield "model.num_heads", f"a divisor of model.hidden_size, which is {model.hidden_size}"
    yield from _detail_contradictions(config)
    yield from _view_contradictions(config)
    if model.text_rows == "frozen" and not config.init_from:
        yield "model.text_rows", "'trained' if init_from is empty, since there are no words to freeze"
    if data.batch_size % micro_batches:
        yield "data.batch_size", f"a multiple of optimizer.accumulation, which is {micro_batches}"
    for key, expected in config.task.contradictions():
        yield f"task.{key}", expected
    for side in ("width", "height"):
        if getattr(config.kitchen, side) % 2:
            yield f"kitchen.{side}", "an even number, as yuv420p video needs"
    yield from _metric_contradictions(config)
    yield from _mesh_contradictions(config.mesh)


def _detail_contradictions(config: Config) -> Iterator[tuple[str, str]]:
    prepare, visual_input = config.prepare, config.model.visual_input
    if prepare.codebooks > prepare.feature_size:
        yield "prepare.codebooks", f"at most prepare.feature_size, which is {prepare.feature_size}"
    if visual_input == "codes" and not prepare.codebooks:
        yield "prepare.codebooks", "at least 1 if model.visual_input is 'codes'"
    if visual_input in ("features", "both") and not prepare.feature_size:
        yield "prepare.feature_size", f"at least 1 if model.visual_input is {visual_input!r}"


def _view_contradictions(config: Config) -> Iterator[tuple[str, str]]:
    prepare = config.prepare
    if prepare.views and prepare.backbone == "precomputed":
        yield "prepare.views", "0 if prepare.backbone is 'precomputed', since features have no pictures to change"
    elif prepare.views and not prepare.changes_views:
        switches = "view_crop, view_scale, view_rotation, view_flip, view_colour, view_speed"
        yield "prepare.views", f"0 while none of {switches} changes anything"
    elif prepare.changes_views and not prepare.views:
        yield "prepare.views", "at least 1 if prepare.view_... says how views are changed"


def _metric_contradictions(config: Config) -> Iterator[tuple[str, str]]:
    if not config.checkpoint.metric and (config.checkpoint.used == "best" or config.checkpoint.patience):
        yield "checkpoint.metric", "EVALUATOR/METRIC if checkpoint.used is 'best' or checkpoint.patience is set"
    name, _, metric = config.checkpoint.metric.partition("/")
    while_training = [evaluator for evaluator, section in config.evaluators.items() if section.every]
    if config.checkpoint.metric and (name not in while_training or not metric):
        known = ", ".join(while_training) or "none; set the `every` of one"
        yield "checkpoint.metric", f"EVALUATOR/METRIC of an evaluator that runs during training ({known})"


def _unmeasurable(config: Config) -> Iterator[str]:
    """Yields what is wrong with the keys of evaluators, which say what part of a mixture each measures."""
    parts = config.task.parts if isinstance(config.task, MixtureConfig) else {}
    for key, section in config.evaluators.items():
        name, part = evaluator_of(key)
        if part and part not in parts:
            known = ", ".join(parts) or "it is no mixture"
            yield f"config.evaluators has {key!r}, expected one of a part of config.task ({known}); rename it"
        elif parts and not part and not section.mixture:
            some = f"{name}_of_{next(iter(parts))}"
            yield f"config.evaluators has {key!r}, expected the name of the part that it measures in it, as in {some!r}"
        elif not isinstance(task := parts[part].task if part else config.task, section.measures):
            yield (
                f"config.evaluators has {key!r}, which measures {section.measures.__name__}, but the task is "
                f"{task.name!r}; remove it from the evaluators in the config file"
            )


def _mesh_contradictions(mesh: MeshConfig) -> Iterator[tuple[str, str]]:
    sizes = dataclasses.asdict(mesh)
    for axis, size in sizes.items():
        if size == 0:
            yield f"mesh.{axis}", "at least 1, or -1 to take the rest of the devices"
    rest = [axis for axis, size in sizes.items() if size == -1]
    for axis in rest[1:]:
        yield f"mesh.{axis}", f"at least 1, since mesh.{rest[0]} already takes the rest of the devices"
