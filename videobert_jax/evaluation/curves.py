"""Small line charts as inline SVG, drawn from the lines of `metrics.jsonl`."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

WIDTH, HEIGHT = 320, 168  # of a chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 8, 20  # margins around the plot
POINTS = 160  # a longer curve is averaged down to so many

Curve = Sequence[tuple[float, float]]  # (step, value)


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve and the CSS class that it is drawn in."""

    curve: Curve
    style: str


def curves(lines: Iterable[Mapping[str, Any]]) -> Mapping[str, Curve]:
    """The values of every metric over the steps; a name that begins with "held_out/" is of held-out batches."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], value))
    return found


def chart(lines: Sequence[Line], title: str, *, top: float | None = None, percent: bool = False) -> str:
    """One chart as an ``<svg>`` element; a text in its place if no line has a point.

    Args:
      lines: drawn one over the other.
      title: what is shown, for readers who do not see the picture.
      top: the greatest value of the vertical axis; by default what the lines need. The least is always 0.
      percent: shares of 1 are written as percentages.
    """
    lines = [Line(_thinned(line.curve), line.style) for line in lines if len(line.curve)]
    if not lines:
        return '<p class="nothing">not measured</p>'
    last = max(step for line in lines for step, _ in line.curve) or 1
    greatest = top or max(value for line in lines for _, value in line.curve) or 1
    ticks = _ticks(greatest)
    greatest = max(greatest, ticks[-1])

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / greatest

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">']
    for tick in ticks:
        label = f"{tick:.0%}" if percent else f"{tick:g}"
        parts.append(f'<path class="rule" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 3.5:.1f}" text-anchor="end">{label}</text>')
    for step in (0, last):
        anchor = "end" if step else "start"
        parts.append(f'<text x="{x(step):.1f}" y="{HEIGHT - 4}" text-anchor="{anchor}">{step:,.0f}</text>')
    for line in lines:
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in line.curve)
        parts.append(f'<polyline class="{line.style}" points="{points}"/>')
        if len(line.curve) == 1:
            parts.append(
                f'<circle class="{line.style}" cx="{points.split(",")[0]}" cy="{points.split(",")[1]}" r="2"/>'
            )
    return "".join([*parts, "</svg>"])


def _thinned(curve: Curve) -> Curve:
    """The means of at most `POINTS` runs of neighbours; the last point stays where it is in time."""
    if len(curve) <= POINTS:
        return curve
    runs = np.array_split(np.asarray(curve, np.float64), POINTS)
    return [(float(run[-1, 0]), float(run[:, 1].mean())) for run in runs]


def _ticks(greatest: float) -> list[float]:
    """Round values from 0 to `greatest`, at least two and at most five of them."""
    magnitude = 10.0 ** math.floor(math.log10(greatest))
    step = next(size * magnitude for size in (0.25, 0.5, 1, 2.5) if greatest / (size * magnitude) <= 4.001)
    return [step * index for index in range(math.floor(greatest / step + 1e-9) + 1)]
