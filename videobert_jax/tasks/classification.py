"""Classification of segments of video: one class or several, by what is seen, what is said, or both."""

import collections
import functools
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from videobert_jax.config import ClassificationConfig, Config
from videobert_jax.data.augmentation import names_a_side
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TRAIN, Prepared, videos_of
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.errors import ConfigError
from videobert_jax.formats.recognise import read_annotations
from videobert_jax.tasks import labelled
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace

LATE = "they begin after the end of their video"


class Span(NamedTuple):
    """Seconds of a video, and the names of all that it is."""

    video_id: str
    start: float
    end: float
    labels: frozenset[str]


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config."""
    section = config.task
    assert isinstance(section, ClassificationConfig)
    return labelled.make(config, tokens, functools.partial(examples_of, section))


def complete(config: Config, prepared: Prepared) -> Config:
    """The config with the names of its classes: all labels of training videos, unless it names them."""
    section = config.task
    assert isinstance(section, ClassificationConfig)
    if section.classes:
        return labelled.with_classes(config, ())
    found = spans_of(section, Footage(prepared.source(TRAIN)), TRAIN)
    return labelled.with_classes(config, (name for span in found for name in span.labels))


def examples_of(section: ClassificationConfig, prepared: Prepared, split: str) -> Sequence[Labelled]:
    """The labelled segments of a split, in order of video and time.

    Left out, with a warning that counts them: labels that are no class of the config, and where classes exclude each
    other, segments with none or several. Raises ConfigError if nothing is left, or nothing to learn from.
    """
    numbers = {name: number for number, name in enumerate(labelled.names_of(section))}
    footage = Footage(prepared.source(split))
    found, lost = [], collections.Counter[str]()
    for span in spans_of(section, footage, split):
        lost["they are no class of config.task.classes"] += section.multiple and len(span.labels - numbers.keys())
        known = tuple(sorted(numbers[name] for name in span.labels & numbers.keys()))
        segment = footage.span(span.video_id, span.start, span.end)
        if segment is None:
            lost[LATE] += 1
        elif prepared.may_mirror(split) and any(map(names_a_side, span.labels)):
            lost["they name left or right, and a view may be mirrored"] += 1
        elif not section.multiple and len(known) != 1:
            reason = "several classes" if known else "no class"
            lost[f"they have {reason} of config.task.classes, expected exactly one (or config.task.multiple)"] += 1
        else:
            found.append(Labelled(segment, segment.spoken, known))
    labelled.left_out(f"labels of the split {split}", lost, len(found))
    if not found:
        raise ConfigError(
            f"config.task.labels is {section.labels!r}, which gives no example of the split {split!r}: expected labels "
            "of its videos"
        )
    labelled.check_examples(section, split, found)
    labelled.warn_of_silence(section.inputs, split, [one.segment for one in found])
    return repeated(found, section.labelled_share) if split == TRAIN else found


def repeated(found: Sequence[Labelled], share: float) -> list[Labelled]:
    """The examples, those with a label so often, all equally, that they are at least this share of all."""
    known = sum(bool(one.labels) for one in found)
    times = math.ceil(share * (len(found) - known) / ((1 - share) * max(known, 1)))
    return [one for one in found for _ in range(max(times, 1) if one.labels else 1)]


def spans_of(section: ClassificationConfig, footage: Footage, split: str) -> list[Span]:
    """The spans of a split with their labels. Raises ConfigError for a label of a video that is in another split.

    Videos that the labels name, but in no split that is known, are left out: that they have no class is not known.
    """
    labels = _labels(section, footage, split)
    names = sorted(footage.video_ids if section.unlabelled else (name for name, each in labels.items() if each))
    names = [name for name in names if labels.get(name, ()) is not None]
    spans, late, others = [], 0, 0
    for video_id in names:
        known = labels.get(video_id) or []
        if section.window:
            pieces = footage.windows(video_id, section.window)
            beyond = sum(start >= pieces[-1][1] for (start, _), _ in known)
            late, others = late + beyond, others + len(known) - beyond
        else:
            pieces = sorted({span for span, _ in known}) or [(0.0, float("inf"))]
        for start, end in pieces:
            here = (name for span, name in known if belongs(span, (start, end), bool(section.window)))
            spans.append(Span(video_id, start, end, frozenset(here)))
    labelled.left_out(f"labels of the split {split}", collections.Counter({LATE: late}), others)
    return spans


def _labels(
    section: ClassificationConfig, footage: Footage, split: str
) -> dict[str, list[tuple[tuple[float, float], str]] | None]:
    """The labels of each video, with their seconds; None for a video that is in no split that is known."""
    found: dict[str, list[tuple[tuple[float, float], str]] | None] = {}
    if not section.labels:
        for video_id in footage.video_ids:
            video = footage[video_id]
            spans = zip(video.caption_starts.tolist(), video.caption_ends.tolist(), strict=True)
            found[video_id] = list(zip(spans, video.captions, strict=True))
        return found
    path = pathlib.Path(section.labels)
    if not path.exists():
        raise ConfigError(f"config.task.labels is {section.labels!r}, expected a file or folder that exists")
    annotations, problems = read_annotations(path, footage.video_ids, "task.labels")
    labelled.unusable("config.task.labels", problems)
    for video_id, annotation in sorted(annotations.items()):
        if annotation.split not in (videos_of(split), None):
            raise ConfigError(
                f"config.task.labels is {section.labels!r}, which has video {video_id!r} in the split "
                f"{annotation.split!r}; the records have it in {split!r}, by config.data.annotations: what is held out "
                "must be the same in both"
            )
        known = [((caption.start, caption.end), caption.text) for caption in annotation.captions]
        found[video_id] = known if annotation.split else None
    return found


def belongs(label: tuple[float, float], piece: tuple[float, float], window: bool) -> bool:
    """Whether a label is one of a piece of video: of its very span, or for half of the window or of the label."""
    if not window:
        return label == piece
    shared = min(label[1], piece[1]) - max(label[0], piece[0])
    return shared > 0 and 2 * shared >= min(label[1] - label[0], piece[1] - piece[0])
