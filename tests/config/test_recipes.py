"""The files of `configs/`."""

import importlib.util
import pathlib
import re
import typing

import pytest

from videobert_jax import config as config_lib
from videobert_jax.config import ClassificationConfig, PretrainingConfig, check

ROOT = pathlib.Path(__file__).parents[2]


def load_config_file(name: str) -> typing.Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "configs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_every_size_of_base_is_a_config(size: str) -> None:
    config = config_lib.from_config_dict(load_config_file("base").get_config(size))
    check(config)


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'huge'.*tiny, small, base, large"):
        load_config_file("base").get_config("huge")


def test_the_recipe_of_the_paper() -> None:
    """Has the numbers of the paper and passes `check`."""
    config = config_lib.from_config_dict(load_config_file("paper").get_config())
    check(config)
    assert (config.prepare.fps, config.prepare.clip_frames) == (20.0, 30)
    assert config.prepare.branching**config.prepare.depth == 20_736
    assert (config.model.num_layers, config.model.hidden_size, config.model.num_heads) == (24, 1024, 16)
    assert (config.steps, config.data.batch_size, config.optimizer.learning_rate) == (500_000, 128, 1e-5)
    assert isinstance(config.task, PretrainingConfig)
    assert (config.task.video_only_tokens, config.task.max_subsampling) == (16, 5)
    assert (config.model.text_rows, config.model.visual_rows) == ("frozen", "frozen")


def test_every_number_of_the_recipe_names_its_source() -> None:
    """The comment on each line begins with one of the sources that the file explains."""
    text = (ROOT / "configs" / "paper.py").read_text()
    settings = [x.strip() for x in text.splitlines() if x.startswith("    config.")]
    sources = ("quoted", "memory", "BERT", "unknown", "ours")
    assert all(f"\n    {source} " in text for source in sources)
    assert not [line for line in settings if re.split(r"\W", line.partition("  # ")[2])[0] not in sources]


def test_the_recipe_leaves_no_value_of_what_is_learnt_to_a_default() -> None:
    text = (ROOT / "configs" / "paper.py").read_text()
    where = {"data.videos", "data.transcripts", "data.annotations", "data.cache", "data.read_threads", "data.prefetch"}
    how = {"model.attention", "optimizer.accumulation"}
    learnt = ("init_from", "data.", "model.", "task.", "optimizer.")
    fields = {key for key in config_lib.flat(config_lib.Config()) if key.startswith(learnt)}
    assert {key for key in fields if f"config.{key} = " not in text} == where | how | {"task.name"}


@pytest.mark.parametrize(
    ("name", "metric", "section"),
    [
        ("classification", "macro_f1", {}),
        ("sentiment", "macro_f1", {"classes": "good;bad;mixed"}),
        ("moderation", "map", {"multiple": True, "unlabelled": True, "window": 3.0, "labelled_share": 0.5}),
    ],
)
def test_classifiers_start_from_a_run(
    name: str, metric: str, section: dict[str, typing.Any], tmp_path: pathlib.Path
) -> None:
    begun = config_lib.from_config_dict(load_config_file("base").get_config())
    (tmp_path / "config.json").write_text(config_lib.to_json(begun))
    config = config_lib.from_config_dict(load_config_file(name).get_config(str(tmp_path)))
    check(config)
    assert config.task == ClassificationConfig(**section)
    assert (config.init_from, config.prepare) == (str(tmp_path), begun.prepare)
    assert (config.checkpoint.metric, config.checkpoint.used) == (f"classification/{metric}", "best")
    assert config.evaluators["classification"].every == config.checkpoint.every
