"""Moderation: a verdict on a video by a policy, with reasons and the seconds to cut or to blur.

A video is judged in windows of the length that the model was trained on, each of which overlaps the next by half, or by
the fewest whole clips that are more: what happens across the border of two windows is in the middle of a third. A model
that was trained on whole spans judges the video as one.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from videobert_jax.config import ClassificationConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.records import Record
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.errors import UserError
from videobert_jax.inference import classify
from videobert_jax.inference.policy import ACTIONS, BLUR, CUT, Policy, resolve
from videobert_jax.inference.watch import watch_whole

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model


class Reason(NamedTuple):
    """Windows to which a rule applies, joined where they overlap or touch: their seconds and highest probability."""

    name: str
    action: str
    threshold: float
    probability: float
    start: float
    end: float


class Span(NamedTuple):
    """Seconds of a video that are to be cut or blurred."""

    action: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict on a video, with its reasons.

    Attributes:
      verdict: the strictest action of all reasons, or the policy's default.
      reasons: in order of time.
      spans: what to cut and what to blur, in order of time, margins included. They do not overlap: what is cut needs no
        blur.
      seconds: length of the video.
    """

    verdict: str
    reasons: tuple[Reason, ...]
    spans: tuple[Span, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON; times have milliseconds."""
        reasons = [
            {
                "class": one.name,
                "action": one.action,
                "threshold": one.threshold,
                "probability": one.probability,
                "start": round(one.start, 3),
                "end": round(one.end, 3),
            }
            for one in self.reasons
        ]
        spans = [{"action": one.action, "start": round(one.start, 3), "end": round(one.end, 3)} for one in self.spans]
        return {"verdict": self.verdict, "seconds": round(self.seconds, 3), "reasons": reasons, "spans": spans}


def moderate(
    model: "Model",
    policy: Policy,
    video: str | pathlib.Path | Record,
    transcript: str | pathlib.Path | None = None,
) -> Verdict:
    """The verdict on a video: a file, with a transcript that is beside it or named, or what was made of it before.

    Raises as `thresholds_of`; as `Model.watch` for a file that cannot be used; UserError if the outputs are not finite.
    """
    thresholds, section = thresholds_of(model, policy), section_of(model)
    if isinstance(video, Record):
        record = video
    else:
        spoken = None if transcript is None else pathlib.Path(transcript).expanduser()
        known = (model.config.prepare, model.vocabulary, model.words, model.details)
        record = watch_whole(pathlib.Path(video).expanduser(), spoken, *known)
    windows = windows_of(record, section.window)
    footage = Footage([record])
    segments = [segment for one in windows if (segment := footage.span(record.video_id, *one))]
    logits = classify.logits_of(model, [Labelled(one, one.spoken, ()) for one in segments])
    if not np.isfinite(logits).all():  # which no threshold would stop
        raise UserError(f"the model's outputs for {record.video_id!r} are not finite; name the workdir of a sound run")
    found = classify.probabilities(logits, section.multiple, classify.calibration_of(model).temperature)
    return judge(policy, thresholds, classify.classes(model), windows, found)


def windows_of(video: Record, seconds: float) -> list[tuple[float, float]]:
    """The windows in which a video is judged, in order of time; `seconds` 0: all of it is one."""
    if not seconds:
        return [(0.0, float(video.border(len(video.visual_ids))))]
    step = max(seconds / 2 // video.step, 1) * video.step
    return Footage([video]).windows(video.video_id, seconds, min(step, seconds))


def section_of(model: "Model") -> ClassificationConfig:
    """The section of a model's task. Raises UserError for one that was not trained for classification."""
    section = model.config.task
    if not isinstance(section, ClassificationConfig):
        raise UserError(
            f"this model was trained for config.task.name={section.name!r}, expected classification, such as by "
            "configs/moderation.py; name another workdir"
        )
    return section


def thresholds_of(model: "Model", policy: Policy) -> np.ndarray:
    """The thresholds of a policy's rules for a model, float64 [rules].

    Raises UserError for a model that was not trained for classification; as `policy.resolve`; DamagedError for an
    evaluation that cannot be read.
    """
    section_of(model)
    return resolve(policy, classify.classes(model), classify.calibration_of(model))


def fingerprint(model: "Model", policy: Policy) -> str:
    """Sixteen digits that are the same as long as the same verdicts follow from the same videos."""
    content = dataclasses.asdict(dataclasses.replace(policy, source=""))
    content["thresholds"] = thresholds_of(model, policy).tolist()
    content["temperature"] = classify.calibration_of(model).temperature
    content["sections"] = [dataclasses.asdict(one) for one in (model.config.prepare, section_of(model))]
    content["sizes"] = [model.config.data.sequence_length, model.config.data.max_sequences]
    found = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for leaf in jax.tree.leaves(model.params):
        found.update(np.ascontiguousarray(jax.device_get(leaf)).tobytes())
    return found.hexdigest()[:16]


def judge(
    policy: Policy,
    thresholds: np.ndarray,
    names: Sequence[str],
    windows: Sequence[tuple[float, float]],
    probabilities: np.ndarray,
) -> Verdict:
    """The verdict on a video, by what is seen in its windows.

    Args:
      policy: the rules.
      thresholds: float64 [rules], see `resolve`.
      names: of the C classes.
      windows: seconds of n windows, in order of time; the last ends with the video.
      probabilities: float64 [n, C].
    """
    seconds = windows[-1][1]
    reasons = []
    for rule, threshold in zip(policy.rules, thresholds.tolist(), strict=True):
        likely = probabilities[:, names.index(rule.name)]
        chosen = np.flatnonzero(likely >= threshold).tolist()
        for start, end in merged(windows[one] for one in chosen):
            highest = max(float(likely[one]) for one in chosen if start <= windows[one][0] < end)
            reasons.append(Reason(rule.name, rule.action, threshold, highest, start, end))
    found = {one.action for one in reasons} or {policy.default}
    cut, blur = (
        merged((one.start - policy.margin, one.end + policy.margin) for one in reasons if one.action == action)
        for action in (CUT, BLUR)
    )
    spans = [Span(CUT, *one) for one in cut] + [Span(BLUR, *one) for one in without(blur, cut)]
    clipped = (Span(one.action, max(one.start, 0.0), min(one.end, seconds)) for one in spans)
    return Verdict(
        max(found, key=ACTIONS.index),
        tuple(sorted(reasons, key=lambda one: (one.start, -ACTIONS.index(one.action), one.name))),
        tuple(sorted(clipped, key=lambda one: one.start)),
        seconds,
    )


def merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans in order, those that overlap or touch joined."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def without(spans: Iterable[tuple[float, float]], holes: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What is left of spans outside of holes, which are in order and apart."""
    left = []
    for start, end in spans:
        for hole_start, hole_end in holes:
            if start < hole_start < end:
                left.append((start, hole_start))
            if hole_start < end:
                start = max(start, hole_end)
        if start < end:
            left.append((start, end))
    return left
