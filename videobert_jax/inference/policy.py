"""Policies: which classes are let through, and what is done about the others."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from videobert_jax.errors import ConfigError, MissingError
from videobert_jax.inference.classify import Calibration

VERSION = 1
ALLOW, REVIEW, BLUR, CUT = "allow", "review", "blur", "cut"
ACTIONS = (ALLOW, REVIEW, BLUR, CUT)  # the later, the stricter
CHOSEN = "validation"  # the threshold that the evaluation has chosen
MEASURES = ("precision", "recall")  # that a threshold can be asked to have
AS_THRESHOLD = f"a number from 0 to 1, '{CHOSEN}', 'precision:P' or 'recall:R', with P and R above 0 and at most 1"


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is done where a class has at least a probability.

    Attributes:
      name: of the class.
      threshold: a probability; or `CHOSEN`, the one with the best F1 on validation, "precision:P", the one with the
        highest recall among those with at least that precision there, or "recall:R", the other way round.
      action: one of `ACTIONS`, but not `ALLOW`.
    """

    name: str
    threshold: float | str
    action: str


@dataclasses.dataclass(frozen=True)
class Policy:
    """The content of a policy file.

    Attributes:
      source: of the rules, for messages.
      rules: at least one.
      default: the verdict on a video to which no rule applies, `ALLOW` or `REVIEW`.
      margin: seconds that are cut or blurred before and after what is seen, too.
    """

    source: str
    rules: tuple[Rule, ...]
    default: str = ALLOW
    margin: float = 0.0


def read_policy(path: str | pathlib.Path) -> Policy:
    """Reads a policy file; docs/moderation.md describes it.

    Raises MissingError if there is none, ConfigError if it is no policy.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise MissingError(f"there is no policy {path}; docs/moderation.md shows one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no policy ({error}); expected JSON as in docs/moderation.md") from error
    return _Reader(str(path)).policy(content)


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Turns what JSON holds into a policy; each error names the place, the value and the expectation."""

    source: str

    def policy(self, content: Any) -> Policy:
        self._object("the policy", content, ("version", "rules"), ("default", "margin"))
        if type(content["version"]) is not int or content["version"] != VERSION:
            raise self._wrong("version", content["version"], f"{VERSION}, the only one that this program knows")
        if not isinstance(content["rules"], list) or not content["rules"]:
            raise self._wrong("rules", content["rules"], "a list of at least one rule")
        rules = tuple(self._rule(f"rules[{number}]", one) for number, one in enumerate(content["rules"]))
        self._require_different(rules)
        default, margin = content.get("default", ALLOW), content.get("margin", 0.0)
        if default not in (ALLOW, REVIEW):
            raise self._wrong("default", default, f"{ALLOW!r} or {REVIEW!r}: there is nothing to cut or to blur")
        if not _is_number(margin) or not 0 <= margin < np.inf:
            raise self._wrong("margin", margin, "a number of seconds, at least 0")
        return Policy(self.source, rules, default, float(margin))

    def _rule(self, place: str, content: Any) -> Rule:
        self._object(place, content, ("class", "threshold", "action"))
        name, threshold, action = content["class"], content["threshold"], content["action"]
        if not isinstance(name, str) or not name:
            raise self._wrong(f"{place}.class", name, "the name of a class")
        if action not in ACTIONS[1:]:
            raise self._wrong(f"{place}.action", action, f"one of {', '.join(ACTIONS[1:])}")
        return Rule(name, self._threshold(f"{place}.threshold", threshold), action)

    def _threshold(self, place: str, value: Any) -> float | str:
        if _is_number(value) and 0 <= value <= 1:
            return float(value)
        if not isinstance(value, str) or not (value == CHOSEN or _aim(value)):
            raise self._wrong(place, value, AS_THRESHOLD)
        return value

    def _require_different(self, rules: Sequence[Rule]) -> None:
        seen: dict[tuple[str, str], int] = {}
        for number, rule in enumerate(rules):
            first = seen.setdefault((rule.name, rule.action), number)
            if first != number:
                one = f"{rule.action!r} for {rule.name!r} as rules[{first}] does"
                raise ConfigError(f"{self.source}: rules[{number}] says {one}, expected it once; remove one of the two")

    def _object(self, place: str, content: Any, needed: Sequence[str], others: Sequence[str] = ()) -> None:
        if not isinstance(content, dict):
            raise self._wrong(place, content, f"an object with the keys {', '.join(needed)}")
        if unknown := [name for name in content if name not in (*needed, *others)]:
            known = ", ".join((*needed, *others))
            raise ConfigError(
                f"{self.source}: {place} has the key {unknown[0]!r}, expected {known}; remove or rename it"
            )
        if missing := [name for name in needed if name not in content]:
            raise ConfigError(f"{self.source}: {place} has no {missing[0]!r}, expected {', '.join(needed)}; add it")

    def _wrong(self, place: str, value: Any, expected: str) -> ConfigError:
        shown = json.dumps(value, ensure_ascii=False)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        return ConfigError(f"{self.source}: {place} is {shown}, expected {expected}; change it in the file")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _aim(threshold: str) -> tuple[str, float] | None:
    """What "precision:0.9" asks for, or None if it is no such thing."""
    measure, _, value = threshold.partition(":")
    try:
        least = float(value)
    except ValueError:
        return None
    return (measure, least) if measure in MEASURES and 0 < least <= 1 else None


def resolve(policy: Policy, names: Sequence[str], calibration: Calibration) -> np.ndarray:
    """The thresholds of a policy's rules, float64 [rules].

    Args:
      policy: of which every rule names a class.
      names: of the model's classes.
      calibration: what the run's evaluation has chosen on validation.

    Raises ConfigError for an unknown class, and for a threshold that cannot be chosen on validation.
    """
    return np.array([_resolved(policy, number, names, calibration) for number in range(len(policy.rules))])


def _resolved(policy: Policy, number: int, names: Sequence[str], calibration: Calibration) -> float:
    rule, place = policy.rules[number], f"{policy.source}: rules[{number}]"
    if rule.name not in names:
        raise ConfigError(f"{place}.class is {rule.name!r}, expected one of the model's: {', '.join(names)}; name one")
    if isinstance(rule.threshold, float):
        return rule.threshold
    given, instead = f"{place}.threshold is {rule.threshold!r}", "or write a number from 0 to 1"
    if not calibration.curves:
        raise ConfigError(f"{given}, but the run has no evaluation that tells it; run launch/evaluate.py, {instead}")
    column = names.index(rule.name)
    curve = calibration.curves[column]
    if not len(curve):
        raise ConfigError(f"{given}, but {rule.name!r} does not occur in the validation split; label some, {instead}")
    if rule.threshold == CHOSEN:
        return float(calibration.thresholds[column])
    aim = _aim(rule.threshold)
    assert aim is not None  # `read_policy` has checked it
    measure, least = aim
    thresholds, precisions, recalls = curve.T
    # Along the curve recalls rise and precisions fall: the best of the other measure is the last, or the first.
    enough = np.flatnonzero((precisions if measure == "precision" else recalls) >= least)
    if not len(enough):
        best = f"the best {measure} on validation is {(precisions if measure == 'precision' else recalls).max():.3f}"
        raise ConfigError(f"{given}, but {best}; ask for less, {instead}")
    return float(thresholds[enough[-1] if measure == "precision" else enough[0]])
