"""Policies: what is refused and why, which thresholds follow, and what a verdict follows from."""

import itertools
import json
import pathlib
from typing import Any

import numpy as np
import pytest

from videobert_jax.errors import ConfigError, MissingError
from videobert_jax.inference.classify import POINTS, Calibration, calibrate
from videobert_jax.inference.moderate import Reason, Span, judge, merged, without
from videobert_jax.inference.policy import ACTIONS, Policy, Rule, read_policy, resolve
from videobert_jax.metrics import labels

NAMES = ("fire", "knife")
FIRE = {"class": "fire", "threshold": 0.5, "action": "cut"}
# Four windows of two seconds, one every second.
WINDOWS = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (3.0, 5.0)]


def read(tmp_path: pathlib.Path, content: Any) -> Policy:
    path = tmp_path / "policy.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_policy(path)


def test_a_policy_is_what_its_file_says(tmp_path: pathlib.Path) -> None:
    rules = [FIRE, {"class": "knife", "threshold": "precision:0.9", "action": "review"}]
    found = read(tmp_path, {"version": 1, "rules": rules, "default": "review", "margin": 1})
    expected = (Rule("fire", 0.5, "cut"), Rule("knife", "precision:0.9", "review"))
    assert found == Policy(str(tmp_path / "policy.json"), expected, "review", 1.0)
    assert read(tmp_path, {"version": 1, "rules": [{**FIRE, "threshold": 1}]}) == Policy(
        str(tmp_path / "policy.json"), (Rule("fire", 1.0, "cut"),), "allow", 0.0
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"is no policy \(Expecting .*\); expected JSON as in docs/moderation\.md"),
        ([], r"the policy is \[\], expected an object with the keys version, rules"),
        ({"rules": [FIRE]}, "the policy has no 'version', expected version, rules; add it"),
        ({"version": 1}, "the policy has no 'rules'"),
        ({"version": 2, "rules": [FIRE]}, "version is 2, expected 1, the only one"),
        ({"version": True, "rules": [FIRE]}, "version is true, expected 1"),
        ({"version": 1, "rules": []}, r"rules is \[\], expected a list of at least one rule"),
        ({"version": 1, "rules": {"fire": 1}}, "expected a list of at least one rule"),
        ({"version": 1, "rules": [FIRE], "rule": 1}, "has the key 'rule', expected version, rules, default, margin"),
        ({"version": 1, "rules": [FIRE], "default": "cut"}, "default is \"cut\", expected 'allow' or 'review'"),
        ({"version": 1, "rules": [FIRE], "margin": -1}, "margin is -1, expected a number of seconds, at least 0"),
        ('{"version": 1, "rules": [], "margin": Infinity}', r"rules is \[\]"),
        (f'{{"version": 1, "rules": [{json.dumps(FIRE)}], "margin": Infinity}}', "margin is Infinity, expected a numb"),
        ({"version": 1, "rules": ["fire"]}, r"rules\[0\] is \"fire\", expected an object with the keys class, thresh"),
        ({"version": 1, "rules": [FIRE, {**FIRE, "clas": 1}]}, r"rules\[1\] has the key 'clas', expected class, thre"),
        ({"version": 1, "rules": [{**FIRE, "class": ""}]}, r"rules\[0\]\.class is \"\", expected the name of a class"),
        ({"version": 1, "rules": [{**FIRE, "action": "mute"}]}, r"\.action is \"mute\", expected one of review, blur"),
        ({"version": 1, "rules": [{**FIRE, "action": "allow"}]}, r"\.action is \"allow\", expected one of review"),
        ({"version": 1, "rules": [{**FIRE, "action": ["cut"]}]}, r"\.action is \[\"cut\"\], expected one of"),
        (
            {"version": 1, "rules": [FIRE, FIRE]},
            r"rules\[1\] says 'cut' for 'fire' as rules\[0\] does, expected it onc",
        ),
        *(
            ({"version": 1, "rules": [{**FIRE, "threshold": value}]}, r"rules\[0\]\.threshold is .* expected a number")
            for value in (1.5, -0.1, True, None, "0.5", "precision", "precision:0", "recall:1.1", "f1:0.5", "recall:x")
        ),
        (f'{{"version": 1, "rules": [{json.dumps({**FIRE, "threshold": float("nan")})}]}}', "threshold is NaN, expect"),
    ],
)
def test_what_is_no_policy_is_refused_with_advice(tmp_path: pathlib.Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "policy.json"))


def test_a_policy_that_is_not_there_is_missing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(MissingError, match=r"there is no policy .*none\.json; docs/moderation\.md shows one"):
        read_policy(tmp_path / "none.json")


def policy(*rules: tuple[str, float | str, str], **changes: Any) -> Policy:
    return Policy("policy.json", tuple(Rule(*rule) for rule in rules), **changes)


@pytest.fixture(scope="module")
def chosen() -> tuple[Calibration, np.ndarray, np.ndarray]:
    """What 400 segments of validation tell of "fire", with ties; a "knife" never occurs. And their probabilities."""
    rng = np.random.default_rng(0)
    truth = np.stack([rng.random(400) < 0.3, np.zeros(400, bool)], axis=1)
    logits = np.round(rng.normal(size=(400, 2)) + 1.5 * truth, 1)
    calibration = calibrate(logits, truth, multiple=True)
    return calibration, 1 / (1 + np.exp(-logits / calibration.temperature)), truth


@pytest.mark.parametrize(("measure", "least"), [("precision", 0.7), ("precision", 0.5), ("recall", 0.8), ("recall", 1)])
def test_a_threshold_has_what_it_is_asked_to_have_on_validation(
    measure: str, least: float, chosen: tuple[Calibration, np.ndarray, np.ndarray]
) -> None:
    """The best of the other measure: the same as by all thresholds, one by one."""
    calibration, found, truth = chosen
    (threshold,) = resolve(policy(("fire", f"{measure}:{least}", "cut")), NAMES, calibration)
    scores = {}
    for one in np.unique(found[:, 0]):
        counted = labels.counts(found[:, :1] >= one, truth[:, :1])
        both = {"precision": counted.precision[0], "recall": counted.recall[0]}
        scores[one] = (both.pop(measure), *both.values())
    mine = next(scores[one] for one in scores if one >= threshold - 1e-12)
    assert mine[0] >= least
    assert mine[1] == max(other for asked, other in scores.values() if asked >= least)


def test_the_chosen_threshold_is_that_of_the_evaluation(chosen: tuple[Calibration, np.ndarray, np.ndarray]) -> None:
    calibration, _, _ = chosen
    rules = policy(("fire", "validation", "cut"), ("knife", 0.25, "review"))
    assert resolve(rules, NAMES, calibration).tolist() == [calibration.thresholds[0], 0.25]


@pytest.mark.parametrize(
    ("rule", "evaluated", "message"),
    [
        (
            ("Fire", 0.5, "cut"),
            True,
            r"rules\[0\]\.class is 'Fire', expected one of the model's: fire, knife; name one",
        ),
        (("fire", "precision:1", "cut"), True, r"but the best precision on validation is 0\.\d+; ask for less, or wri"),
        (("knife", "validation", "cut"), True, "but 'knife' does not occur in the validation split; label some, or wr"),
        (("fire", "validation", "cut"), False, "the run has no evaluation that tells it; run launch/evaluate.py, or w"),
    ],
)
def test_a_threshold_that_validation_does_not_tell_is_refused(
    rule: tuple[str, float | str, str],
    evaluated: bool,
    message: str,
    chosen: tuple[Calibration, np.ndarray, np.ndarray],
) -> None:
    logits, truth = np.array([[2.0, 0], [1, 0], [0, 0]]), np.array([[False, False], [True, False], [False, False]])
    calibration = calibrate(logits, truth, True) if "precision" in str(rule[1]) else chosen[0]
    with pytest.raises(ConfigError, match=message):
        resolve(policy(rule), NAMES, calibration if evaluated else Calibration(1.0, np.full(2, 0.5)))


def test_a_long_curve_is_thinned() -> None:
    """To points of the curve, of which the first and the last stay."""
    rng = np.random.default_rng(1)
    truth = rng.random((20000, 1)) < 0.5
    logits = rng.normal(size=(20000, 1)) + truth
    (curve,) = calibrate(logits, truth, True).curves
    whole = np.stack(labels.frontier(1 / (1 + np.exp(-logits[:, 0])), truth[:, 0]), axis=1)
    assert len(curve) <= POINTS < len(whole)
    assert {tuple(one) for one in curve[:, 1:].tolist()} <= {tuple(one) for one in whole[:, 1:].tolist()}
    assert curve[[0, -1], 1:].tolist() == whole[[0, -1], 1:].tolist()


def verdict(rules: Policy, fire: list[float], knife: list[float] | None = None) -> Any:
    probabilities = np.stack([fire, knife or [0.0] * len(fire)], axis=1)
    thresholds = resolve(rules, NAMES, Calibration(1.0, np.full(2, 0.5)))
    return judge(rules, thresholds, NAMES, WINDOWS, probabilities)


def test_windows_that_overlap_or_touch_are_one_reason() -> None:
    found = verdict(policy(("fire", 0.5, "cut")), [0.5, 0.49, 0.9, 0.0])
    assert found.reasons == (Reason("fire", "cut", 0.5, 0.9, 0.0, 4.0),), "they touch"
    assert found.spans == (Span("cut", 0.0, 4.0),)
    assert (found.verdict, found.seconds) == ("cut", 5.0)
    apart = verdict(policy(("fire", 0.5, "cut")), [0.5, 0.49, 0.1, 0.9])
    assert apart.reasons == (Reason("fire", "cut", 0.5, 0.5, 0.0, 2.0), Reason("fire", "cut", 0.5, 0.9, 3.0, 5.0))
    assert apart.spans == (Span("cut", 0.0, 2.0), Span("cut", 3.0, 5.0))


def test_margins_join_spans_and_end_with_the_video() -> None:
    rules = [policy(("fire", 0.5, "blur"), margin=margin) for margin in (0.0, 0.25, 0.5, 9.0)]
    spans = [verdict(one, [0.0, 0.8, 0.0, 0.0]).spans for one in rules]
    assert spans == [(Span("blur", *one),) for one in ((1, 3), (0.75, 3.25), (0.5, 3.5), (0, 5))]
    apart = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]
    for margin, expected in ((0.4, [(0.0, 1.4), (1.6, 3.4)]), (0.5, [(0.0, 3.5)])):
        one = policy(("fire", 0.5, "cut"), margin=margin)
        found = judge(one, np.array([0.5]), NAMES, apart, np.array([[1.0, 0], [0, 0], [1, 0], [0, 0]]))
        assert [(each.start, each.end) for each in found.spans] == expected


def test_the_strictest_action_is_the_verdict() -> None:
    for many in range(1, 4):
        for actions in itertools.permutations(ACTIONS[1:], many):
            rules = policy(*(("fire", 0.5, action) for action in actions))
            found = verdict(rules, [0.6, 0.0, 0.0, 0.0])
            assert found.verdict == max(actions, key=["review", "blur", "cut"].index)
            assert {one.action for one in found.reasons} == set(actions)
            assert {one.action for one in found.spans} == {found.verdict} - {"review"}, "what is cut needs no blur"


def test_the_default_is_the_verdict_where_no_rule_applies() -> None:
    for default in ("allow", "review"):
        found = verdict(policy(("fire", 0.5, "cut"), default=default), [0.4] * 4)
        assert found.as_dict() == {"verdict": default, "seconds": 5.0, "reasons": [], "spans": []}
    assert verdict(policy(("fire", 0.5, "review"), default="review"), [0.6] * 4).verdict == "review"


def test_what_is_cut_is_not_blurred() -> None:
    rules = policy(("fire", 0.5, "blur"), ("knife", 0.5, "cut"), ("knife", 0.1, "review"))
    found = verdict(rules, [1.0, 1.0, 1.0, 1.0], [0.0, 0.7, 0.2, 0.0])
    assert found.as_dict() == {
        "verdict": "cut",
        "seconds": 5.0,
        "reasons": [
            {"class": "fire", "action": "blur", "threshold": 0.5, "probability": 1.0, "start": 0.0, "end": 5.0},
            {"class": "knife", "action": "cut", "threshold": 0.5, "probability": 0.7, "start": 1.0, "end": 3.0},
            {"class": "knife", "action": "review", "threshold": 0.1, "probability": 0.7, "start": 1.0, "end": 4.0},
        ],
        "spans": [
            {"action": "blur", "start": 0.0, "end": 1.0},
            {"action": "cut", "start": 1.0, "end": 3.0},
            {"action": "blur", "start": 3.0, "end": 5.0},
        ],
    }


def test_spans_without_others_are_as_by_counting_tenths() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        spans, holes = ([tuple(sorted(rng.integers(0, 30, 2).tolist())) for _ in range(4)] for _ in range(2))
        one, other = merged(spans), merged(holes)
        assert {n for a, b in one for n in range(a, b)} == {n for a, b in spans for n in range(a, b)}
        left = {n for a, b in without(one, other) for n in range(a, b)}
        assert left == {n for a, b in one for n in range(a, b)} - {n for a, b in other for n in range(a, b)}
        assert all(a < b for a, b in without(one, other))
