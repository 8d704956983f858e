"""Question answering: ``[CLS] question [>] clips [SEP]`` to one of a closed set of answers."""

import collections
import functools
import pathlib
from collections.abc import Sequence

from videobert_jax import tokenizer
from videobert_jax.config import AnsweringConfig, Config
from videobert_jax.data.augmentation import names_a_side
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TRAIN, Prepared
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.errors import ConfigError
from videobert_jax.formats.questions import Question, read_questions
from videobert_jax.tasks import labelled
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config."""
    section = config.task
    assert isinstance(section, AnsweringConfig)
    return labelled.make(config, tokens, functools.partial(examples_of, section))


def complete(config: Config, prepared: Prepared) -> Config:
    """The config with its classes: the `answers` commonest of training videos, unless it names them."""
    section = config.task
    assert isinstance(section, AnsweringConfig)
    if section.classes:
        return labelled.with_classes(config, ())
    asked = questions_of(section, Footage(prepared.source(TRAIN)))
    return labelled.with_classes(config, (one.answer for one in asked if one.answer), section.answers)


def examples_of(section: AnsweringConfig, prepared: Prepared, split: str) -> Sequence[Labelled]:
    """The questions about videos of a split, whose answers are classes; the others are counted in a warning.

    Raises ConfigError if none is left.
    """
    numbers = {name: number for number, name in enumerate(labelled.names_of(section))}
    footage, words = Footage(prepared.source(split)), tokenizer.load(prepared.tokenizer)
    found, lost = [], collections.Counter[str]()
    for one in questions_of(section, footage):
        segment = footage.span(one.video_id, 0.0, float("inf"), one.question)
        assert segment is not None  # every video has a clip
        ids = tuple(words.encode(one.question))
        if one.answer is None:
            lost["their answers are not known"] += 1
        elif one.answer not in numbers:
            lost["their answers are none of config.task.classes"] += 1
        elif not ids:
            lost["they have no words"] += 1
        elif prepared.may_mirror(split) and names_a_side(f"{one.question} {one.answer}"):
            lost["they name left or right, and a view may be mirrored"] += 1
        else:
            found.append(Labelled(segment, ids, (numbers[one.answer],)))
    labelled.left_out(f"questions of the split {split}", lost, len(found))
    if not found:
        raise ConfigError(
            f"config.task.questions is {section.questions!r}, which has no question with one of the answers about a "
            f"video of the split {split!r}"
        )
    labelled.check_examples(section, split, found)
    return found


def questions_of(section: AnsweringConfig, footage: Footage) -> list[Question]:
    """All questions about these videos. Raises ConfigError if there is no such file, FormatError for one of no use."""
    path = pathlib.Path(section.questions)
    if not path.exists():
        raise ConfigError(f"config.task.questions is {section.questions!r}, expected a file or folder that exists")
    asked, problems = read_questions(path)
    labelled.unusable("config.task.questions", problems)
    return [one for one in asked if one.video_id in footage]
