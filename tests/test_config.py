import ast
import dataclasses
import importlib.util
import pathlib
import re
import typing

import pytest
from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config_check import check
from videobert_jax.errors import ConfigError

ROOT = pathlib.Path(__file__).parent.parent


def load_config_file(name: str) -> typing.Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "configs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
        ({"data": {"mask_joint": 1}}, r"config\.data\.mask_joint is 1, expected a value of type bool"),
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


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_every_size_of_base_is_a_config(size: str) -> None:
    config = config_lib.from_config_dict(load_config_file("base").get_config(size))
    check(config)


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'huge'.*tiny, small, base, large"):
        load_config_file("base").get_config("huge")


def test_no_key_is_without_a_reader() -> None:
    """A key that nothing reads is a lie to the user: every field is read somewhere in the package or in launch."""
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
        if path.stem != "config_check"  # to judge a value is not to use it
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not fields - read


def test_the_recipe_of_the_paper() -> None:
    """The numbers that the paper gives, and nothing that `check` refuses."""
    config = config_lib.from_config_dict(load_config_file("paper").get_config())
    check(config)
    assert (config.prepare.fps, config.prepare.clip_frames) == (20.0, 30)
    assert config.prepare.branching**config.prepare.depth == 20_736
    assert (config.model.num_layers, config.model.hidden_size, config.model.num_heads) == (24, 1024, 16)
    assert (config.steps, config.data.batch_size, config.optimizer.learning_rate) == (500_000, 128, 1e-5)
    assert (config.data.video_only_tokens, config.data.max_subsampling) == (16, 5)
    assert (config.model.text_rows, config.model.visual_rows) == ("frozen", "frozen")


def test_every_number_of_the_recipe_names_its_source() -> None:
    """A comment on its line begins with one of the sources that the file explains."""
    text = (ROOT / "configs" / "paper.py").read_text()
    settings = [x.strip() for x in text.splitlines() if x.startswith("    config.")]
    sources = ("quoted", "memory", "BERT", "unknown", "ours")
    assert all(f"\n    {source} " in text for source in sources)
    assert not [line for line in settings if re.split(r"\W", line.partition("  # ")[2])[0] not in sources]


def test_the_recipe_leaves_no_value_of_what_is_learnt_to_a_default() -> None:
    text = (ROOT / "configs" / "paper.py").read_text()
    where = {"data.videos", "data.transcripts", "data.annotations", "data.cache", "data.read_threads", "data.prefetch"}
    how = {"model.attention", "optimizer.accumulation"}
    learnt = ("data.", "model.", "objective.", "optimizer.")
    fields = {key for key in config_lib.flat(config_lib.Config()) if key.startswith(learnt)}
    assert {key for key in fields if f"config.{key} = " not in text} == where | how
