"""Filters over tags as a small text, such as ``unsafe<0.3,sentiment=good``."""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from videobert_jax.errors import UserError

Tags = Mapping[str, float | str]  # such as {"unsafe": 0.02, "sentiment": "good"}

SEPARATOR = ","
COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(rf"([^<>=!]+)({'|'.join(COMPARED)})([^<>=!]+)")


def passing(text: str, tags: Sequence[Tags]) -> np.ndarray:
    """Bool [n]: which of n entries fulfil all conditions of a filter.

    A condition is ``name``, one of ``< <= > >= = !=``, and a value; several are joined by commas. Names of classes are
    only equal or not. An entry without the tag does not pass. An empty text passes all.

    Raises UserError for a condition that cannot be read, or whose tag no entry has.
    """
    passed = np.ones(len(tags), bool)
    for condition in filter(None, map(str.strip, text.split(SEPARATOR))):
        name, compare, value = _read(condition, tags)
        passed &= [name in each and compare(each[name], value) for each in tags]
    return passed


def _read(condition: str, tags: Sequence[Tags]) -> tuple[str, Callable[[Any, Any], bool], float | str]:
    """Its name, its comparison and its value, a number if the tag's are."""
    parts = _CONDITION.fullmatch(condition)
    if not parts:
        raise UserError(
            f"the filter has {condition!r}, expected a name, one of {' '.join(COMPARED)} and a value, such as "
            f"unsafe<0.3; {_known(tags)}"
        )
    name, sign, text = (part.strip() for part in parts.groups())
    example = next((each[name] for each in tags if name in each), None)
    if example is None:
        raise UserError(f"the filter has {condition!r}, whose tag {name!r} no entry of the index has; {_known(tags)}")
    if isinstance(example, str):
        if sign not in ("=", "!="):
            raise UserError(f"the filter has {condition!r}, expected = or !=: {name!r} is a name, such as {example!r}")
        values = {str(each[name]) for each in tags if name in each}
        if text not in values:
            raise UserError(f"the filter has {condition!r}, but {name!r} is one of {', '.join(sorted(values))}")
        return name, COMPARED[sign], text
    try:
        number = float(text)
        if math.isnan(number):  # to which no number compares
            raise ValueError
        return name, COMPARED[sign], number
    except ValueError:
        raise UserError(
            f"the filter has {condition!r}, expected a number: {name!r} is one, such as {example:.3g}"
        ) from None


def _known(tags: Sequence[Tags]) -> str:
    names = sorted({name for each in tags for name in each})
    if not names:
        return "the index has no tags: build it again with --tags"
    return f"its tags are {', '.join(names)}"
