"""Training data: examples with views of the training videos, and augmented rows. Evaluation reads neither."""

from dataclasses import replace
from typing import Any

import numpy as np

from videobert_jax.config import Config
from videobert_jax.data.augmentation import Augmentable, Augmentation, Joined
from videobert_jax.data.batching import Examples, Mixed, RowMaker
from videobert_jax.data.prepared import TRAIN, Prepared
from videobert_jax.data.segments import evenly_spaced
from videobert_jax.errors import ConfigError
from videobert_jax.tasks.task import Task
from videobert_jax.visual_words.vocabulary import Vocabulary

RECORDS = 16_384  # training records that are read to find the visual words in use


def examples_of(task: Task, prepared: Prepared) -> Examples[Any]:
    """The examples of training videos, followed by those of each of their views; all are drawn equally often."""
    parts = [task.examples(prepared, split) for split in (TRAIN, *prepared.views)]
    if len(parts) == 1:
        return parts[0]
    mixed = [part.shares for part in parts if isinstance(part, Mixed)]
    if not mixed:
        return Joined(parts)
    shares = zip(*mixed, strict=True)
    return Mixed(tuple(replace(each[0], examples=Joined([one.examples for one in each])) for each in shares))


def row_of(task: Task, config: Config, prepared: Prepared) -> RowMaker[Any]:
    """The task's row maker, augmented by the config's switches; unchanged if all are off.

    Raises ConfigError if rows of the task cannot be augmented.
    """
    data = config.data
    if not (data.neighbours or data.drop_words or data.drop_clips):
        return task.row
    if not isinstance(task.row, Augmentable):
        raise ConfigError(
            f"config.data.neighbours, drop_words and drop_clips are {data.neighbours}, {data.drop_words} and "
            f"{data.drop_clips}, expected 0: rows of the task {config.task.name!r} cannot be augmented, since "
            f"{type(task.row).__name__} has no method `augmented`"
        )
    augmentation = Augmentation(
        task.network.tokens,
        data.neighbours,
        data.drop_words,
        data.drop_clips,
        **({"table": _neighbours(prepared)} if data.neighbours else {}),
    )
    return task.row.augmented(augmentation)


def _neighbours(prepared: Prepared) -> np.ndarray:
    """The neighbours of each visual word, among those of `RECORDS` training records, evenly spaced."""
    vocabulary, source = Vocabulary.load(prepared.tree), prepared.source(TRAIN)
    used = np.zeros(vocabulary.size, bool)
    for index in evenly_spaced(len(source), RECORDS).tolist():
        used[source[index].visual_ids] = True
    return vocabulary.neighbours(used)
