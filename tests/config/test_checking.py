"""Every value is checked before anything slow runs."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

import pytest

from videobert_jax.config import (
    Config,
    EvaluatorConfig,
    HeldOutConfig,
    RecommendationScoresConfig,
    ZeroShotConfig,
    check,
    check_evaluators,
    flat,
    settings,
)
from videobert_jax.config.rules import Choice, Interval
from videobert_jax.data.records import FORMATS
from videobert_jax.data.sampling import SHORTEST_JOINT
from videobert_jax.errors import ConfigError

WITHOUT_RULE = {
    *("prepare.backbone", "prepare.backbone_weights", "prepare.tokenizer", "prepare.sentence_splitter"),
    "prepare.crop",
    *("data.videos", "data.transcripts", "data.annotations", "data.cache"),
    *("modules", "init_from", "checkpoint.metric"),
}
RULES: dict[str, Any] = {one.key: one.rule for one in settings(Config()) if one.rule is not None}
# What some choices need.
GIVEN = {"init_from": "bert", "prepare.tokenizer": "bert", "prepare.feature_size": 4, "prepare.codebooks": 2}
NUMBERS = [key for key, rule in RULES.items() if isinstance(rule, Interval)]
CHOICES = [key for key, rule in RULES.items() if isinstance(rule, Choice)]


def changed(changes: dict[str, object]) -> Config:
    """Returns the default config with changed values of some dotted keys."""
    config = Config()
    for key, value in changes.items():
        config = with_value(config, key, value)
    return config


def with_value(section: Any, key: str, value: object) -> Any:
    name, _, rest = key.partition(".")
    if isinstance(section, Mapping):
        return {**section, name: with_value(section[name], rest, value)}
    return dataclasses.replace(section, **{name: with_value(getattr(section, name), rest, value) if rest else value})


def test_every_number_and_every_choice_has_a_rule() -> None:
    judged = {key for key, value in flat(Config()).items() if not isinstance(value, bool)}
    assert RULES.keys() == judged - WITHOUT_RULE
    assert RULES.keys() == {*NUMBERS, *CHOICES, "evaluators.zero_shot.template"}
    assert {type(flat(Config())[key]) for key in NUMBERS} == {int, float}
    assert {type(flat(Config())[key]) for key in CHOICES} == {str}


def test_rules_agree_with_the_rooms_that_they_speak_of() -> None:
    assert RULES["prepare.record_format"] == FORMATS
    assert RULES["data.sequence_length"].low == SHORTEST_JOINT


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -2, 2**31])
def test_no_number_is_without_bounds(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"config\.{key} is {value}, expected a number in .*; set --config\.{key}$"):
        check(changed({key: value}))


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_is_within_its_own_bounds(key: str) -> None:
    rule, kind = RULES[key], type(flat(Config())[key])
    for end, bracket, outside in ((rule.low, rule.brackets[0], -1), (rule.high, rule.brackets[1], 1)):
        beyond = (
            kind(end) if bracket in "()" else end + outside if kind is int else math.nextafter(end, outside * math.inf)
        )
        with pytest.raises(
            ConfigError, match=rf"^config\.{key} is .*, expected {re.escape(str(rule))}; set --config\.{key}$"
        ):
            check(changed({key: beyond}))


@pytest.mark.parametrize("key", CHOICES)
def test_a_choice_is_one_of_its_choices(key: str) -> None:
    for choice in RULES[key]:
        check(changed({**GIVEN, key: choice}))
    with pytest.raises(
        ConfigError, match=rf"config\.{key} is 'foo', expected {re.escape(str(RULES[key]))}; set --config\.{key}$"
    ):
        check(changed({key: "foo"}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model.dropout": 1.0}, r"model\.dropout is 1\.0, expected a number in \[0, 1\)"),
        ({"optimizer.learning_rate": 0.0}, r"optimizer\.learning_rate is 0\.0, expected a number in \(0, 10\]"),
        ({"optimizer.epsilon": 0.0}, r"optimizer\.epsilon is 0\.0"),
        ({"prepare.validation_fraction": 1.0}, r"expected a number in \(0, 1\)"),
        ({"kitchen.num_videos": 1}, r"expected a number in \[2, 100000\]"),
        ({"prepare.codebooks": 2}, r"prepare\.codebooks is 2, expected at most prepare\.feature_size, which is 0"),
        (
            {"model.visual_input": "codes"},
            r"prepare\.codebooks is 0, expected at least 1 if model\.visual_input",
        ),
        ({"model.visual_input": "both"}, r"prepare\.feature_size is 0, expected at least 1 if model\.visual_input is"),
        ({"kitchen.width": 65}, r"kitchen\.width is 65, expected an even number"),
        ({"kitchen.height": 65}, r"kitchen\.height is 65, expected an even number"),
        ({"prepare.clip_frames": 0}, r"prepare\.clip_frames is 0"),
        ({"prepare.backbone": "precomputed"}, r"data\.videos is '', expected the folder of the precomputed features"),
        ({"prepare.views": 1}, r"prepare\.views is 1, expected 0 while none of view_crop, .* changes anything"),
        ({"prepare.view_flip": True}, r"prepare\.views is 0, expected at least 1 if prepare\.view_"),
        ({"prepare.view_speed": 1.5}, r"prepare\.views is 0, expected at least 1 if prepare\.view_"),
        (
            {"prepare.views": 1, "prepare.backbone": "precomputed", "data.videos": "DIR"},
            r"prepare\.views is 1, expected 0 if prepare\.backbone is 'precomputed'",
        ),
        ({"prepare.view_scale": 0.9}, r"prepare\.view_scale is 0\.9, expected a number in \[1, 2\]"),
        ({"prepare.image_size": 100_000}, r"expected a number in \[32, 4096\]"),
        ({"data.batch_size": 0}, r"data\.batch_size is 0"),
        ({"data.sequence_length": 1024}, r"expected at most model\.max_positions, which is 512"),
        ({"model.num_heads": 3}, r"expected a divisor of model\.hidden_size, which is 1024"),
        ({"model.text_rows": "frozen"}, r"model\.text_rows is 'frozen', expected 'trained' if"),
        ({"optimizer.accumulation": 3}, r"data\.batch_size is 128, expected a multiple of optimizer\.accumulation"),
        ({"task.joint": 0.0, "task.text_only": 0.0, "task.video_only": 0.0}, r"task\.joint is 0\.0, expected more"),
        (
            {"task.weights.text": 0.0, "task.weights.video": 0.0, "task.weights.alignment": 0.0},
            r"task\.weights\.text is 0\.0, expected more than 0 if task\.weights\.video",
        ),
        ({"data.transcripts": "caption.json"}, r"data\.videos is '', expected the folder of the videos that"),
        ({"data.annotations": "train.json"}, r"data\.videos is '', expected the folder of the videos that"),
        (
            {"evaluators.zero_shot.template": "how to [MASK]"},
            r"template is 'how to \[MASK\]', expected a sentence with two \[MASK\], for the",
        ),
        ({"evaluators.zero_shot.template": "[MASK] [MASK] [MASK]"}, r"two \[MASK\]"),
        (
            {"checkpoint.metric": "zero_shot/loss"},
            r"checkpoint\.metric is 'zero_shot/loss', expected .*\(held_out, use_of_video\); set",
        ),
        ({"checkpoint.metric": "nobody/loss"}, r"checkpoint\.metric is 'nobody/loss', expected EVALUATOR/METRIC of"),
        ({"checkpoint.metric": "held_out"}, r"checkpoint\.metric is 'held_out', expected EVALUATOR/METRIC"),
        ({"checkpoint.metric": "held_out/"}, r"checkpoint\.metric is 'held_out/', expected EVALUATOR/METRIC"),
        ({"evaluators.held_out.every": 0}, r"checkpoint\.metric is 'held_out/loss', expected .*\(use_of_video\); set"),
        ({"mesh.fsdp": 0}, r"mesh\.fsdp is 0, expected at least 1, or -1"),
        ({"mesh.tensor": -1}, r"mesh\.tensor is -1, expected at least 1, since mesh\.data already takes the rest"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check(changed(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seed": 2**31 - 1, "task.joint": 0.0, "task.weights.video": 0.0, "optimizer.clip_norm": 0.0},
        {"prepare.workers": 0, "data.read_threads": 0, "data.prefetch": 0, "report.storyboards": 0},
        {"checkpoint.metric": "held_out/loss/text_in_joint", "evaluators.zero_shot.every": 5},
        {"prepare.views": 2, "prepare.view_crop": 0.1},
        {"mesh.data": 2, "mesh.tensor": -1, "optimizer.warmup_steps": 0, "model.dropout": 0.0, "task.masking": 1.0},
    ],
)
def test_what_can_be_passes(changes: dict[str, object]) -> None:
    check(changed(changes))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check(changed({"seed": -1, "model.num_layers": 0, "model.num_heads": 0}))
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["config.seed", "config.model.num_layers", "config.model.num_heads"]


def test_the_evaluator_of_the_best_checkpoint_has_to_be_there() -> None:
    evaluators: dict[str, EvaluatorConfig] = {"zero_shot": ZeroShotConfig(every=5)}
    with pytest.raises(ConfigError, match=r"checkpoint\.metric is 'held_out/loss', expected .*\(zero_shot\)"):
        check(dataclasses.replace(Config(), evaluators=evaluators))
    check(dataclasses.replace(Config(), evaluators={"held_out": HeldOutConfig()}))


def test_an_evaluator_measures_models_of_its_tasks() -> None:
    config = dataclasses.replace(Config(), evaluators={"recommendation": RecommendationScoresConfig()})
    with pytest.raises(ConfigError, match="measures RecommendationConfig, but the task is 'pretraining'; remove it"):
        check_evaluators(config)
