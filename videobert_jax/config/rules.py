"""Metadata of config fields: the valid values, and whether a resumed run may change them."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

LARGEST = 2**31 - 1  # counts and seeds become int32


class Rule(Protocol):
    """The valid values of a field; `str` describes them."""

    def __contains__(self, value: Any, /) -> bool:
        """Whether `value` is valid."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, never NaN; a round bracket excludes its end."""

    low: float
    high: float = LARGEST
    brackets: str = "[]"

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.brackets[0] == "(" else value >= self.low
        below = value < self.high if self.brackets[1] == ")" else value <= self.high
        return above and below

    def __str__(self) -> str:
        return f"a number in {self.brackets[0]}{self.low}, {self.high}{self.brackets[1]}"


class Choice(tuple[str, ...]):
    """One of several names."""

    def __str__(self) -> str:
        return f"one of {', '.join(self)}"


COUNT = Interval(1)
SHARE = Interval(0, 1)
PART = Interval(0, 1, "()")  # a share that leaves something for both parts
PART_OR_NONE = Interval(0, 1, "[)")
WEIGHT = Interval(0, 1_000_000)
SEED = Interval(0)
WORKERS = Interval(0, 1024)  # processes or threads
SIDE = Interval(32, 4096)  # pixels; the kitchen's painter and the backbones need 32


# Metadata of a field or section that a resumed run may change: it determines how, where or how long the run executes,
# or what it reports, but not what the next step computes.
MAY_CHANGE = {"may_change": True}


def setting(default: T, rule: Rule | None = None, may_change: bool = False) -> T:
    """Declares a field of a section.

    Args:
      default: the default value.
      rule: the valid values; required for numbers and choices, not for booleans and paths.
      may_change: see `MAY_CHANGE`.
    """
    return dataclasses.field(default=default, metadata={"rule": rule, **(MAY_CHANGE if may_change else {})})


class Setting(NamedTuple):
    """A value of a config, with its dotted key, such as "model.num_layers", and metadata from `setting`."""

    key: str
    value: Any
    rule: Rule | None
    may_change: bool


def settings(section: Any, prefix: str = "", may_change: bool = False) -> Iterator[Setting]:
    """Yields every value of a config or section, in order."""
    for field in dataclasses.fields(section):
        key, value = prefix + field.name, getattr(section, field.name)
        free = may_change or field.metadata.get("may_change", False)
        if dataclasses.is_dataclass(value):
            yield from settings(value, f"{key}.", free)
        elif isinstance(value, Mapping):
            for name, one in value.items():
                yield from settings(one, f"{key}.{name}.", free)
        else:
            yield Setting(key, value, field.metadata.get("rule"), free)


def flat(section: Any) -> dict[str, Any]:
    """Returns dotted key -> value for a config or section."""
    return {one.key: one.value for one in settings(section)}


class Change(NamedTuple):
    """A value that differs between two configs; None if a config lacks the key."""

    key: str
    before: Any
    now: Any
    may_change: bool


def changes(before: Any, now: Any) -> list[Change]:
    """Returns the values that differ between two configs, sorted by key."""
    old, new = flat(before), flat(now)
    free = {one.key for config in (before, now) for one in settings(config) if one.may_change}
    differing = [key for key in sorted(old | new) if old.get(key) != new.get(key)]
    return [Change(key, old.get(key), new.get(key), key in free) for key in differing]
