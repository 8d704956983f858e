"""What tasks with labelled segments have in common: classes, network, rows and objective."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Sequence

from absl import logging

from videobert_jax.config import Config, LabelledConfig
from videobert_jax.data.prepared import TRAIN, Prepared
from videobert_jax.data.rows.labelled import Labelled, LabelledRows
from videobert_jax.data.segments import Segment
from videobert_jax.errors import ConfigError
from videobert_jax.formats.problems import Problem
from videobert_jax.model.classifier import Classifier
from videobert_jax.objectives.classification import Classification
from videobert_jax.tasks.task import Task, as_read, frozen_tokens, frozen_trunk
from videobert_jax.tokens import TokenSpace

SEPARATOR = ";"
SHOWN = 3  # of the problems of a file


def names_of(section: LabelledConfig) -> tuple[str, ...]:
    """The classes of a complete config. Raises ConfigError if there are none, or one twice."""
    names = tuple(name.strip() for name in section.classes.split(SEPARATOR) if name.strip())
    if not names:
        raise ConfigError(
            f"config.task.classes is {section.classes!r}, and there are no data to take the classes from; set "
            f"--config.task.classes to names separated by {SEPARATOR!r}"
        )
    if len(set(names)) < len(names):
        twice = next(name for name, count in collections.Counter(names).items() if count > 1)
        raise ConfigError(f"config.task.classes has {twice!r} twice, expected different names")
    return names


def with_classes(config: Config, labels: Iterable[str], most: int | None = None) -> Config:
    """The config with its classes, if they are not named in it: all labels, or the `most` frequent, those first.

    Raises ConfigError if labels cannot be the names of classes.
    """
    section = config.task
    assert isinstance(section, LabelledConfig)
    if section.classes:
        names_of(section)
        return config
    counts = collections.Counter(labels)
    if wrong := next((name for name in counts if SEPARATOR in name), None):
        raise ConfigError(
            f"{wrong!r} is a label, expected none with {SEPARATOR!r} in it, which separates the names of classes in "
            "config.task.classes; write it otherwise"
        )
    if not counts:
        raise ConfigError("no training video has a label that could be a class; see which videos the labels name")
    names = sorted(counts, key=lambda name: (-counts[name], name))[:most]
    return dataclasses.replace(config, task=dataclasses.replace(section, classes=SEPARATOR.join(names)))


def make(config: Config, tokens: TokenSpace, examples: Callable[[Prepared, str], Sequence[Labelled]]) -> Task:
    """A task over labelled segments.

    Raises ConfigError if there is nothing to tell apart: one class only, of which every example is.
    """
    section = config.task
    assert isinstance(section, LabelledConfig)
    names = names_of(section)
    if len(names) < 2 and not section.multiple:
        raise ConfigError(f"config.task.classes is {section.classes!r}, expected at least two classes to tell apart")
    network = Classifier(config.model, tokens, classes=len(names))
    return Task(
        network=network,
        objective=Classification(section.multiple, section.smoothing),
        row=LabelledRows(as_read(network), config.data, section.inputs, len(names)),
        group=config.data.max_sequences,
        examples=examples,
        frozen=frozen_trunk(config) if section.frozen else frozen_tokens(config.model, tokens),
    )


def check_examples(section: LabelledConfig, split: str, found: Sequence[Labelled]) -> None:
    """Warns of classes that no training example has: the model learns that they are never there.

    Raises ConfigError if every training example has the only class.
    """
    if split != TRAIN:
        return
    names, counts = names_of(section), collections.Counter(number for one in found for number in one.labels)
    if len(names) == 1 and counts[0] == len(found):
        raise ConfigError(
            f"config.task.classes is {section.classes!r}, and all {len(found):,} training examples have it: expected "
            "some without; set --config.task.unlabelled=True if videos without a label do not have it, "
            "--config.task.window for the rest of those that do, or name more classes"
        )
    if missing := [name for number, name in enumerate(names) if not counts[number]]:
        logging.warning(
            "config.task.classes has %d classes that no training example has, which are learnt to be never there: %s",
            len(missing),
            "; ".join(missing),
        )


def warn_of_silence(inputs: str, split: str, segments: Sequence[Segment]) -> None:
    """Warns of segments in which nothing is said where words alone are read: their text is empty."""
    silent = sum(not segment.spoken for segment in segments) if inputs == "words" else 0
    if silent:
        logging.warning(
            "config.task.inputs is 'words', and nothing is said in %s of %s segments of the split %s: their text is "
            "empty, and all get the same prediction",
            f"{silent:,}",
            f"{len(segments):,}",
            split,
        )


def unusable(key: str, problems: Sequence[Problem]) -> None:
    """Warns of the entries of files that cannot be used; `key` is that of the config that names them."""
    if problems:
        some = "; ".join(f"{one.item}: {one.reason}" for one in problems[:SHOWN])
        more = "; ..." if len(problems) > SHOWN else ""
        logging.warning("%s has %s entries that are left out: %s%s", key, f"{len(problems):,}", some, more)


def left_out(kind: str, counts: collections.Counter[str], used: int) -> None:
    """Warns of examples that are left out, by the reason."""
    for reason, count in (+counts).items():
        logging.warning("%s: %s of %s are left out: %s", kind, f"{count:,}", f"{used + counts.total():,}", reason)
