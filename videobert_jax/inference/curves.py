"""From a curve over time to spans of it: the moments that a text describes, and events that begin and end.

Everything here is NumPy: a curve may come from any model.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from videobert_jax.metrics.moments import temporal_iou

EVERY_LENGTH = 10  # up to so many samples a span may have any length, above it each is GROWTH times the one before
GROWTH = 1.15  # so that some candidate has an IoU above 0.9 with any span


class Moment(NamedTuple):
    """A span of a video in seconds, and how well it fits what was asked."""

    start: float
    end: float
    score: float


class Event(NamedTuple):
    """Something that happens from `onset` to `end`, in seconds, and its highest probability."""

    onset: float
    end: float
    peak: float


@dataclasses.dataclass(frozen=True)
class MomentRule:
    """How moments follow from a curve of similarities.

    Every span of the video is a candidate. It scores ``(inside - contrast * around - (1 - contrast) * everywhere) *
    samples ** growth``, of the mean similarities inside the span, around it (half its length on either side) and in the
    whole video: a span that is too short leaves similar samples around it, one that is too long takes in others, and
    `growth` decides between a high peak and a long plateau. Where it is known how long such moments are, ``length *
    log(seconds / known) ** 2`` is subtracted. The best are taken, each unless it overlaps a better one.

    Attributes:
      smoothing: samples of the moving average that is taken first, an odd number; 1: none.
      contrast: 1: a span is compared with what is around it, 0: with the whole video.
      growth: 0: the highest mean is the best; 1/2: as in a scan statistic, whose noise shrinks with the length.
      length: how much it counts that a span is as long as expected; 0: not at all.
      overlap: the highest IoU of two moments.
      longest: seconds of a moment.
    """

    smoothing: int = 1
    contrast: float = 0.25
    growth: float = 0.25
    length: float = 0.4
    overlap: float = 0.3
    longest: float = 150.0  # as in QVHighlights

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class EventRule:
    """How events follow from a curve of probabilities, with hysteresis (Canny 1986).

    An event lasts while the probability is at least `release * threshold`, and reaches `threshold` in between.

    Attributes:
      threshold: the least probability at the peak of an event.
      release: share of it at which the event begins and ends.
      gap: seconds; what is not longer apart is one event.
      shortest: seconds of an event.
    """

    threshold: float = 0.5
    release: float = 0.5
    gap: float = 0.0
    shortest: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


def smooth(curve: np.ndarray, samples: int) -> np.ndarray:
    """The moving average of a curve [..., n] over an odd number of samples; fewer at its ends. Float64."""
    half, count = samples // 2, curve.shape[-1]
    sums = _sums(curve)
    starts, stops = np.arange(count) - half, np.arange(count) + half + 1
    starts, stops = np.maximum(starts, 0), np.minimum(stops, count)
    return (sums[..., stops] - sums[..., starts]) / (stops - starts)


def candidates(samples: int, longest: int) -> np.ndarray:
    """Spans ``[first, stop)`` of so many samples, int64 [n, 2]: at every place, of every length, or nearly every."""
    lengths = [min(samples, longest, 1)]
    while lengths[-1] < min(samples, longest):
        lengths.append(min(lengths[-1] + 1 if lengths[-1] < EVERY_LENGTH else round(lengths[-1] * GROWTH), samples))
    spans = [np.arange(samples - length + 1)[:, None] + np.array([0, length]) for length in lengths if length]
    return np.concatenate([np.zeros((0, 2), np.int64), *spans])


def scores(curve: np.ndarray, spans: np.ndarray, rule: MomentRule) -> np.ndarray:
    """Float64 [..., spans]: how well spans int [spans, 2] stand out of smoothed curves [..., samples].

    Around a span that has nothing around it, it is as inside.
    """
    sums, (first, stop) = _sums(curve), spans.T
    length, margin = stop - first, (stop - first + 1) // 2
    left, right = np.maximum(first - margin, 0), np.minimum(stop + margin, curve.shape[-1])
    total = sums[..., stop] - sums[..., first]
    inside, beside = total / length, right - left - length
    around = np.where(beside > 0, (sums[..., right] - sums[..., left] - total) / np.maximum(beside, 1), inside)
    everywhere = curve.mean(axis=-1, keepdims=True)
    return (inside - rule.contrast * around - (1 - rule.contrast) * everywhere) * length**rule.growth


def apart(spans: np.ndarray, score: np.ndarray, overlap: float, top: int) -> np.ndarray:
    """Indices of the `top` best of spans [n, 2], the best first, none with a higher IoU than `overlap` with a better.

    Of equal ones the first is the better (non-maximum suppression; Neubeck and Van Gool 2006).
    """
    order, chosen = np.argsort(-score, kind="stable"), list[int]()
    while len(order) and len(chosen) < top:
        chosen.append(int(order[0]))
        order = order[1:][temporal_iou(spans[order[:1]], spans[order[1:]])[0] <= overlap]
    return np.array(chosen, np.int64)


def misfit(spans: np.ndarray, sample: float, expected: float | None) -> np.ndarray:
    """Float64 [spans]: squares of the log ratios of the lengths of spans [spans, 2] to the expected seconds; else 0."""
    lengths = (spans[:, 1] - spans[:, 0]) * sample
    return np.log(lengths / (lengths if expected is None else expected)) ** 2


def moments(
    curve: np.ndarray, sample: float, end: float, rule: MomentRule, top: int, expected: float | None = None
) -> list[Moment]:
    """The `top` best moments by a curve [samples], the best first.

    Args:
      curve: sample i is of the seconds ``[i, i + 1) * sample``.
      sample: seconds.
      end: of the video, seconds; no moment ends later.
      rule: how.
      top: how many at most.
      expected: seconds of such moments, if known.
    """
    spans = candidates(len(curve), max(int(rule.longest / sample), 1))
    found = scores(smooth(curve, rule.smoothing), spans, rule) - rule.length * misfit(spans, sample, expected)
    best = apart(spans, found, rule.overlap, top)
    starts, ends = np.minimum(spans[best] * sample, end).T.tolist()
    return list(map(Moment, starts, ends, found[best].tolist()))


def events(curve: np.ndarray, sample: float, rule: EventRule, start: float = 0.0) -> list[Event]:
    """The events of a curve of probabilities [samples], in order of time.

    Args:
      curve: sample i is of the seconds ``start + [i, i + 1) * sample``.
      sample: seconds.
      rule: how.
      start: of the first sample, seconds.
    """
    joined: list[list[int]] = []
    for first, stop in _runs(curve >= rule.threshold * rule.release):
        if curve[first:stop].max() < rule.threshold:
            continue
        if joined and (first - joined[-1][1]) * sample <= rule.gap:
            joined[-1][1] = stop
        else:
            joined.append([first, stop])
    return [
        Event(start + first * sample, start + stop * sample, float(curve[first:stop].max()))
        for first, stop in joined
        if (stop - first) * sample >= rule.shortest
    ]


def _runs(flags: np.ndarray) -> list[list[int]]:
    """Starts and stops of the runs of True in bool [n]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def _sums(curve: np.ndarray) -> np.ndarray:
    """Sums of the first 0 to n samples, float64 [..., n + 1]."""
    padding = [(0, 0)] * (curve.ndim - 1) + [(1, 0)]
    return np.pad(np.cumsum(curve, axis=-1, dtype=np.float64), padding)
