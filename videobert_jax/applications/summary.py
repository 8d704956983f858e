"""The table of the applications: one row for each, from what the evaluators of its runs wrote."""

import dataclasses
import json
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from videobert_jax.applications.suite import Measure
from videobert_jax.errors import DamagedError
from videobert_jax.training.workdir import Workdir

CLOSE = 0.99  # two figures above this are both as good as right


@dataclasses.dataclass(frozen=True)
class Row:
    """An application: its metric on the test split, for the pretrained model and for what it is compared with.

    Attributes:
      application: its name.
      metric: the higher, the better.
      n: test examples.
      pretrained: mean over seeds, as `scratch`, the same model without pretraining.
      features_only: linear models of clip features; None: none is meaningful, as for the others.
      language_only: the pretrained model, trained to read words alone.
      video_only: likewise clips alone.
      chance: guessing.
      spread: standard deviation over the seeds of `pretrained`; None for one seed.
      seeds: how many.
      baselines: further ones, by name.
    """

    application: str
    metric: str
    n: int
    pretrained: float
    scratch: float | None
    features_only: float | None
    language_only: float | None
    video_only: float | None
    chance: float | None
    spread: float | None
    seeds: int
    baselines: Mapping[str, float]

    def holds(self) -> bool:
        """Whether pretraining is worth it: more than the spread above scratch, features and words, or nearly right."""
        others = (self.scratch, self.features_only, self.language_only)
        return all(
            self.pretrained - other > (self.spread or 0.0) or min(self.pretrained, other) > CLOSE
            for other in others
            if other is not None
        )


def row(
    measure: Measure,
    folders: Mapping[str, Sequence[pathlib.Path]],
    features_only: float | None,
    chance: float | None,
) -> Row:
    """A row.

    Args:
      measure: what is read.
      folders: workdirs of each variant, one a seed.
      features_only: its value, from `applications.features_only`.
      chance: its value, if no evaluator of the runs has it.

    Raises DamagedError if a run has no such metric.
    """
    found = {name: [details(folder, measure.evaluator) for folder in runs] for name, runs in folders.items()}
    values = {name: [_number(one, measure.metric) for one in each] for name, each in found.items()}
    means = {name: statistics.fmean(each) for name, each in values.items()}
    first = found["pretrained"][0]
    return Row(
        application=measure.name,
        metric=measure.metric.removeprefix("model/"),
        n=int(_number(first, measure.count)),
        pretrained=means["pretrained"],
        scratch=means.get("scratch"),
        features_only=features_only,
        language_only=means.get("language_only"),
        video_only=means.get("video_only"),
        chance=_number(first, measure.chance) if measure.chance else chance,
        spread=statistics.stdev(values["pretrained"]) if len(values["pretrained"]) > 1 else None,
        seeds=len(values["pretrained"]),
        baselines={name: _number(first, key) for name, key in measure.baselines.items()},
    )


def details(folder: pathlib.Path, evaluator: str) -> dict[str, Any]:
    """What an evaluator of a run wrote. Raises DamagedError if that is not there."""
    path = Workdir(folder).evaluation(evaluator)
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path} cannot be read ({error}); evaluate the run again: launch/evaluate.py") from error


def _number(found: Mapping[str, Any], key: str) -> float:
    try:
        return float(found[key])
    except KeyError as error:
        raise DamagedError(f"an evaluation has no {key!r}, only {', '.join(found)}; evaluate the run again") from error


COLUMNS = ("pretrained", "scratch", "features_only", "language_only", "video_only", "chance")


def table(rows: Sequence[Row]) -> str:
    """A Markdown table; per cent."""
    head = ["application", "metric", "n", *(name.replace("_", " ") for name in COLUMNS), "others"]
    lines = [head, ["---"] * len(head)]
    for one in rows:
        cells = [_percent(getattr(one, name)) for name in COLUMNS]
        if one.spread is not None:
            cells[0] += f" ± {100 * one.spread:.1f}"
        others = ", ".join(f"{name.replace('_', ' ')} {_percent(value)}" for name, value in one.baselines.items())
        lines.append([one.application.replace("_", ", "), one.metric.replace("_", " "), f"{one.n:,}", *cells, others])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
