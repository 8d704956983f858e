"""Every value is judged before anything takes time."""

import dataclasses
import math
import typing

import pytest

from videobert_jax.config import Config, flat
from videobert_jax.config_check import RULES, Choice, check
from videobert_jax.data.records import FORMATS
from videobert_jax.data.sampling import SHORTEST_JOINT
from videobert_jax.errors import ConfigError

WITHOUT_RULE = {
    *("prepare.backbone", "prepare.backbone_weights", "prepare.tokenizer", "prepare.sentence_splitter"),
    *("data.videos", "data.transcripts", "data.annotations", "data.cache", "evaluation.template"),
    "model.init_from",
}


def changed(changes: dict[str, object]) -> Config:
    """The default config with other values of some dotted keys."""
    config = Config()
    for key, value in changes.items():
        section, _, name = key.rpartition(".")
        if section:
            name, value = section, dataclasses.replace(getattr(config, section), **{name: value})
        config = dataclasses.replace(config, **{name: value})
    return config


def test_every_number_and_every_choice_has_a_rule() -> None:
    judged = {key for key, value in flat(Config()).items() if not isinstance(value, bool)}
    assert RULES.keys() == judged - WITHOUT_RULE


def test_rules_agree_with_the_rooms_that_they_speak_of() -> None:
    assert RULES["prepare.record_format"] == FORMATS
    assert typing.cast(typing.Any, RULES["data.sequence_length"]).low == SHORTEST_JOINT


@pytest.mark.parametrize("key", [key for key, rule in RULES.items() if not isinstance(rule, Choice)])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -2, 2**31])
def test_no_number_is_without_bounds(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"config\.{key} is {value}, expected a number in .*; set --config\.{key}$"):
        check(changed({key: value}))


@pytest.mark.parametrize("key", [key for key, rule in RULES.items() if isinstance(rule, Choice)])
def test_a_choice_is_one_of_its_choices(key: str) -> None:
    for choice in typing.cast(Choice, RULES[key]):
        check(changed({"model.init_from": "bert", "prepare.tokenizer": "bert", key: choice}))
    with pytest.raises(ConfigError, match=rf"config\.{key} is 'foo', expected one of \w+, \w+.*; set --config\.{key}$"):
        check(changed({key: "foo"}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model.dropout": 1.0}, r"model\.dropout is 1\.0, expected a number in \[0, 1\)"),
        ({"optimizer.learning_rate": 0.0}, r"optimizer\.learning_rate is 0\.0, expected a number in \(0, 10\]"),
        ({"optimizer.epsilon": 0.0}, r"optimizer\.epsilon is 0\.0"),
        ({"prepare.validation_fraction": 1.0}, r"expected a number in \(0, 1\)"),
        ({"kitchen.num_videos": 1}, r"expected a number in \[2, 100000\]"),
        ({"kitchen.width": 65}, r"kitchen\.width is 65, expected an even number"),
        ({"kitchen.height": 65}, r"kitchen\.height is 65, expected an even number"),
        ({"prepare.clip_frames": 0}, r"prepare\.clip_frames is 0"),
        ({"prepare.backbone": "precomputed"}, r"data\.videos is '', expected the folder of the precomputed features"),
        ({"prepare.image_size": 100_000}, r"expected a number in \[32, 4096\]"),
        ({"data.batch_size": 0}, r"data\.batch_size is 0"),
        ({"data.sequence_length": 1024}, r"expected at most model\.max_positions, which is 512"),
        ({"model.num_heads": 3}, r"expected a divisor of model\.hidden_size, which is 1024"),
        ({"model.init_from": "bert"}, r"prepare\.tokenizer is '', expected the tokenizer of model\.init_from"),
        ({"model.text_rows": "frozen"}, r"model\.text_rows is 'frozen', expected 'trained' where"),
        ({"optimizer.accumulation": 3}, r"data\.batch_size is 128, expected a multiple of optimizer\.accumulation"),
        ({"data.joint": 0.0, "data.text_only": 0.0, "data.video_only": 0.0}, r"data\.joint is 0\.0, expected more"),
        (
            {"objective.text": 0.0, "objective.video": 0.0, "objective.alignment": 0.0},
            r"objective\.text is 0\.0, expected more than 0",
        ),
        ({"data.transcripts": "caption.json"}, r"data\.videos is '', expected the folder of the videos that"),
        ({"data.annotations": "train.json"}, r"data\.videos is '', expected the folder of the videos that"),
        ({"evaluation.template": "how to [MASK]"}, r"template is 'how to \[MASK\]', expected .* two \[MASK\]"),
        ({"evaluation.template": "[MASK] [MASK] [MASK]"}, r"two \[MASK\]"),
        ({"mesh.fsdp": 0}, r"mesh\.fsdp is 0, expected at least 1, or -1"),
        ({"mesh.tensor": -1}, r"mesh\.tensor is -1, expected at least 1, as mesh\.data takes the rest"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check(changed(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seed": 2**31 - 1, "data.joint": 0.0, "objective.video": 0.0, "optimizer.clip_norm": 0.0},
        {"prepare.workers": 0, "data.read_threads": 0, "data.prefetch": 0, "evaluation.storyboards": 0},
        {"mesh.data": 2, "mesh.tensor": -1, "optimizer.warmup_steps": 0, "model.dropout": 0.0, "data.masking": 1.0},
    ],
)
def test_what_can_be_passes(changes: dict[str, object]) -> None:
    check(changed(changes))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check(changed({"seed": -1, "model.num_layers": 0, "model.num_heads": 0}))
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["config.seed", "config.model.num_layers", "config.model.num_heads"]
