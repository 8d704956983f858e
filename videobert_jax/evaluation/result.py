"""What an evaluator returns."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Result(NamedTuple):
    """A result.

    Attributes:
      metrics: numbers for the log and for choosing a checkpoint.
      details: all there is to say, as JSON has it: what `evaluation/<name>.json` of a workdir holds.
    """

    metrics: Mapping[str, float]
    details: Mapping[str, Any]
