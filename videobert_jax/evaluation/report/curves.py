"""Small line charts of the lines of `metrics.jsonl`: their layout, which `chart.html` draws as inline SVG."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

WIDTH, HEIGHT = 320, 168  # of a chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 8, 20  # margins around the plot
POINTS = 160  # longer curves are averaged down to this many

Curve = Sequence[tuple[float, float]]  # (step, value)


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve and the CSS class that it is drawn in."""

    curve: Curve
    style: str


@dataclasses.dataclass(frozen=True)
class Tick:
    """A label on an axis, and its place along that axis in the units of the chart."""

    place: float
    label: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """The layout of a chart, in its own units, with x to the right and y downwards.

    Attributes:
      lines: with curves of (x, y); empty if nothing was measured.
      x_ticks: the first and the last step.
      y_ticks: from 0 upwards.
      width: of the chart.
      height: of the chart.
      left: x where the plot begins.
      right: x where the plot ends.
    """

    lines: Sequence[Line] = ()
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def curves(lines: Iterable[Mapping[str, Any]]) -> Mapping[str, Curve]:
    """Collects the curve of every metric; names that begin with "held_out/" are of held-out batches."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], value))
    return found


def chart(lines: Iterable[Line], *, top: float | None = None, percent: bool = False) -> Chart:
    """Lays out one chart; it has no lines if no curve has a point.

    Args:
      lines: drawn in this order.
      top: the upper end of the vertical axis, by default the greatest value; the lower end is 0.
      percent: labels the vertical axis in percent; values are shares of 1.
    """
    lines = [Line(_thinned(line.curve), line.style) for line in lines if len(line.curve)]
    if not lines:
        return Chart()
    last = max(step for line in lines for step, _ in line.curve) or 1
    greatest = top or max(value for line in lines for _, value in line.curve) or 1
    ticks = _ticks(greatest)
    greatest = max(greatest, ticks[-1])

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / greatest

    return Chart(
        lines=[Line([(x(step), y(value)) for step, value in line.curve], line.style) for line in lines],
        x_ticks=[Tick(x(step), f"{step:,.0f}") for step in (0, last)],
        y_ticks=[Tick(y(tick), f"{tick:.0%}" if percent else f"{tick:g}") for tick in ticks],
    )


def _thinned(curve: Curve) -> Curve:
    """Averages at most `POINTS` runs of neighbours; each mean stands at the last step of its run."""
    if len(curve) <= POINTS:
        return curve
    runs = np.array_split(np.asarray(curve, np.float64), POINTS)
    return [(float(run[-1, 0]), float(run[:, 1].mean())) for run in runs]


def _ticks(greatest: float) -> list[float]:
    """Two to five round values from 0 to `greatest`."""
    magnitude = 10.0 ** math.floor(math.log10(greatest))
    step = next(size * magnitude for size in (0.25, 0.5, 1, 2.5) if greatest / (size * magnitude) <= 4.001)
    return [step * index for index in range(math.floor(greatest / step + 1e-9) + 1)]
