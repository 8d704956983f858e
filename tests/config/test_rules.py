import dataclasses
import math
from collections.abc import Mapping

import pytest

from videobert_jax.config.rules import LARGEST, MAY_CHANGE, Change, Choice, Interval, changes, flat, setting, settings


@dataclasses.dataclass(frozen=True)
class Inner:
    size: int = setting(2, Interval(1))
    threads: int = setting(1, may_change=True)


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str = setting("a", Choice(("a", "b")))
    plain: bool = True
    inner: Inner = Inner()
    free: Inner = dataclasses.field(default=Inner(), metadata=MAY_CHANGE)
    many: Mapping[str, Inner] = dataclasses.field(default_factory=dict)


OUTER = Outer(many={"one": Inner(5)})


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        (Interval(1, 3), (1, 2, 3), (0, 4)),
        (Interval(1, 3, "(]"), (1.001, 3), (1, 3.001)),
        (Interval(1, 3, "[)"), (1, 2.999), (0.999, 3)),
        (Interval(1, 3, "()"), (2,), (1, 3)),
        (Interval(0), (0, LARGEST), (-1, LARGEST + 1)),
    ],
)
def test_an_interval_has_its_ends_or_not(
    interval: Interval, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert all(value in interval for value in inside)
    assert not any(value in interval for value in (*outside, math.nan, math.inf, -math.inf))


def test_rules_say_what_they_are() -> None:
    assert str(Interval(0, 1, "[)")) == "a number in [0, 1)"
    assert str(Choice(("a", "b"))) == "one of a, b"


def test_settings_are_found_by_their_keys() -> None:
    rules = {one.key: one.rule for one in settings(OUTER)}
    size, threads = Interval(1), None
    assert rules == {
        "name": Choice(("a", "b")),
        "plain": None,
        "inner.size": size,
        "inner.threads": threads,
        "free.size": size,
        "free.threads": threads,
        "many.one.size": size,
        "many.one.threads": threads,
    }
    assert flat(OUTER)["many.one.size"] == 5


def test_what_may_change_is_a_field_or_all_of_a_section() -> None:
    free = {one.key for one in settings(OUTER) if one.may_change}
    assert free == {"inner.threads", "free.size", "free.threads", "many.one.threads"}


def test_changes_are_told_in_order_with_both_values() -> None:
    now = dataclasses.replace(OUTER, name="b", free=Inner(3), many={"two": Inner(5)})
    assert changes(OUTER, OUTER) == []
    assert changes(OUTER, now) == [
        Change("free.size", 2, 3, may_change=True),
        Change("many.one.size", 5, None, may_change=False),
        Change("many.one.threads", 1, None, may_change=True),
        Change("many.two.size", None, 5, may_change=False),
        Change("many.two.threads", None, 1, may_change=True),
        Change("name", "a", "b", may_change=False),
    ]
