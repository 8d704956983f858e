"""Invariants of every field of a config."""

import ast
import dataclasses
import pathlib

from videobert_jax import config as config_lib
from videobert_jax.config import Config, settings

ROOT = pathlib.Path(__file__).parents[2]
MAY_CHANGE = {
    *("steps", "log_every", "prepare.workers"),
    *("data.cache", "data.read_threads", "data.prefetch"),
    *("model.attention", "model.remat", "model.unroll", "optimizer.accumulation"),
    *("mesh.data", "mesh.fsdp", "mesh.tensor"),
    *("checkpoint.every", "checkpoint.keep", "checkpoint.metric", "checkpoint.best", "checkpoint.used"),
    "checkpoint.patience",
    *("evaluators.held_out.every", "evaluators.held_out.batches"),
    *("evaluators.use_of_video.every", "evaluators.use_of_video.batches"),
    *(f"evaluators.zero_shot.{name}" for name in ("every", "template", "verbs", "objects", "nouns")),
    *("report.storyboards", "modules"),
}


def test_no_key_is_without_a_reader() -> None:
    """Every field is read somewhere in the package or in launch; an unused key would mislead the user."""
    fields = {
        field.name
        for kind in vars(config_lib).values()
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
    }
    read = {
        node.attr
        for folder in ("videobert_jax", "launch")
        for path in (ROOT / folder).rglob("*.py")
        if path.parent.name != "config"  # to judge a value is not to use it
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not fields - read - {"modules"}  # which `config.reading` imports before there is a `Config`


def test_a_resumed_run_may_change_what_only_concerns_execution() -> None:
    assert {one.key for one in settings(Config()) if one.may_change} == MAY_CHANGE
