"""The section `task`. Its `name` selects its class from `TASKS`, which other packages may extend.

A section names the function that makes its task and does not import it: it can be read without JAX.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from videobert_jax.config.rules import COUNT, PART_OR_NONE, SHARE, WEIGHT, Choice, Interval, setting


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """The fields of every task.

    Attributes:
      make: "module:function", (Config, TokenSpace) -> `tasks.task.Task`.
      complete: "module:function", (Config, Prepared) -> Config: fills in the fields `follows`; "": there are none.
      follows: fields that follow from the data while they are empty, such as the names of classes.
      name: its key in `TASKS`.
    """

    make: ClassVar[str]
    complete: ClassVar[str] = ""
    follows: ClassVar[tuple[str, ...]] = ()
    name: str

    def contradictions(self) -> Iterable[tuple[str, str]]:
        """Returns (key within the section, expected value) for each value that is in range but contradicts others."""
        return ()

    def completed(self, before: Self) -> Self:
        """This section with those values of `follows` that it lacks, from `before`, of the same class."""
        known = {name: getattr(before, name) for name in self.follows if not getattr(self, name)}
        return dataclasses.replace(self, **known)


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; the paper publishes none."""

    text: float = setting(1.0, WEIGHT)  # masked words
    video: float = setting(1.0, WEIGHT)  # masked visual words
    alignment: float = setting(1.0, WEIGHT)


@dataclasses.dataclass(frozen=True)
class PretrainingConfig(TaskConfig):
    """Masked words, masked visual words and text-video alignment (VideoBERT, sections 3.2 and 3.3)."""

    make: ClassVar[str] = "videobert_jax.tasks.pretraining:make"
    name: str = setting("pretraining", Choice(("pretraining",)))
    text_only: float = setting(1.0, WEIGHT)  # relative weight of the mode, like the next two
    video_only: float = setting(1.0, WEIGHT)
    joint: float = setting(2.0, WEIGHT)
    misaligned: float = setting(0.5, SHARE)  # share of the joint sequences whose text comes from another chunk
    misaligned_from: str = setting("other_video", Choice(("other_video", "same_video")))
    concatenate: float = setting(0.5, SHARE)  # probability of each further neighbouring sentence (paper: "randomly")
    max_subsampling: int = setting(5, COUNT)  # visual tokens are subsampled at a rate of 1 to this (paper: 5)
    # Subsampling leaves a joint sequence at least this many clips, if it has them (paper: unknown).
    min_clips: int = setting(1, COUNT)
    video_only_tokens: int = setting(16, COUNT)  # visual tokens of a video-only sequence (paper: 16)
    masking: float = setting(0.15, SHARE)
    mask_video: float = setting(0.0, SHARE)  # share of the joint sequences whose visual words are all masked (paper: 0)
    # Share of the other sequences whose words are all masked, so that only the video, if any, can tell them (paper: 0).
    mask_text: float = setting(0.0, SHARE)
    whole_words: bool = False  # mask all WordPieces of a word together
    span: float = setting(1.0, Interval(1, 100))  # mean number of adjacent tokens that are masked together
    mask_joint: bool = True  # mask joint sequences too (paper's figure), or only train alignment on them (its text)
    mask_misaligned: bool = False  # predict masked tokens of misaligned sequences
    max_predictions: int = setting(80, COUNT)  # K, masked positions per row
    chunks_per_row: int = setting(4, COUNT)  # records that one row draws its sequences from
    weights: LossWeights = LossWeights()

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """At least one mode and one loss need a weight."""
        if not self.text_only + self.video_only + self.joint:
            yield "joint", "more than 0 if task.text_only and task.video_only are 0"
        if not self.weights.text + self.weights.video + self.weights.alignment:
            yield "weights.text", "more than 0 if task.weights.video and task.weights.alignment are 0"


@dataclasses.dataclass(frozen=True)
class LabelledConfig(TaskConfig):
    """The fields of tasks whose examples are segments with labels."""

    follows: ClassVar[tuple[str, ...]] = ("classes",)
    # Names of the classes, separated by ";". Empty: all that training videos have, the commonest first.
    classes: str = ""
    multiple: bool = False  # a segment may have any number of labels; else exactly one
    inputs: str = setting("both", Choice(("both", "video", "words")))  # what is read of a segment
    frozen: bool = False  # train the head alone (a linear probe of the pooled [CLS]), not what `init_from` gives
    smoothing: float = setting(0.0, PART_OR_NONE)  # share of the target that is spread over all classes


@dataclasses.dataclass(frozen=True)
class ClassificationConfig(LabelledConfig):
    """One class, or several, of segments of video: actions, sentiment, what is not safe to show."""

    make: ClassVar[str] = "videobert_jax.tasks.classification:make"
    complete: ClassVar[str] = "videobert_jax.tasks.classification:complete"
    name: str = setting("classification", Choice(("classification",)))
    # File or folder with labels of spans of video, in any format of annotations: a label is a caption. Empty: the
    # captions of the records.
    labels: str = ""
    # Seconds of the windows that videos are cut into; a window has the labels that last for half of it or that it holds
    # half of. 0: the spans of the labels are the segments.
    window: float = setting(0.0, WEIGHT)
    # Videos that no label names are segments without any class; needs `multiple`.
    unlabelled: bool = False
    # Least share of the training examples that have a label, with `multiple`: they are repeated until they have it.
    # Without it, a model of rare labels learns only how rare they are. 0: as they occur.
    labelled_share: float = setting(0.0, PART_OR_NONE)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Segments without a label need `multiple`: where classes exclude each other, each segment has one."""
        if not self.multiple and (self.window or self.unlabelled or self.labelled_share):
            yield (
                "multiple",
                "True if task.window, task.unlabelled or task.labelled_share is set, as for segments without a label",
            )


@dataclasses.dataclass(frozen=True)
class AnsweringConfig(LabelledConfig):
    """Questions about videos, answered by one of a closed set of answers: ``[CLS] question [>] clips [SEP]``."""

    make: ClassVar[str] = "videobert_jax.tasks.answering:make"
    complete: ClassVar[str] = "videobert_jax.tasks.answering:complete"
    name: str = setting("answering", Choice(("answering",)))
    questions: str = ""  # folder of questions and answers, as MSRVTT-QA or ActivityNet-QA have them
    answers: int = setting(1000, COUNT)  # classes if none are named: so many of the commonest answers

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """There have to be questions, and each has one answer."""
        if not self.questions:
            yield "questions", "the folder of the questions"
        if self.multiple:
            yield "multiple", "False, since a question has one answer"


@dataclasses.dataclass(frozen=True)
class RetrievalConfig(TaskConfig):
    """Texts and segments of video as vectors of one space; captions of the records are the texts."""

    make: ClassVar[str] = "videobert_jax.tasks.retrieval:make"
    name: str = setting("retrieval", Choice(("retrieval",)))
    inputs: str = setting("both", Choice(("both", "video", "words")))  # what is read of a segment
    frozen: bool = False  # train the projection alone, not what `init_from` gives


@dataclasses.dataclass(frozen=True)
class RecommendationConfig(TaskConfig):
    """The next video of a viewer, by those watched before: videos are vectors, a viewer is the mean of some."""

    make: ClassVar[str] = "videobert_jax.tasks.recommendation:make"
    name: str = setting("recommendation", Choice(("recommendation",)))
    histories: str = ""  # CSV file of user, item (the video's name), timestamp and perhaps split, as MicroLens has it
    inputs: str = setting("both", Choice(("both", "video", "words")))  # what is read of a video
    frozen: bool = False  # train the projection alone, not what `init_from` gives

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """There have to be histories."""
        if not self.histories:
            yield "histories", "the file of what viewers watched"


@dataclasses.dataclass(frozen=True)
class PartConfig:
    """One task of several.

    Attributes:
      weight: share of the rows, relative to the other parts'; 0: it has its heads, but is not trained.
      factor: of its losses in the total. Each loss is the mean over the part's own rows, however few they are.
      task: its section, as it would be for the task alone.
    """

    weight: float = setting(1.0, WEIGHT)
    factor: float = setting(1.0, WEIGHT)
    task: TaskConfig = dataclasses.field(default_factory=PretrainingConfig)


@dataclasses.dataclass(frozen=True)
class MixtureConfig(TaskConfig):
    """Several tasks at once: one trunk, the heads of each; every row belongs to one of them."""

    make: ClassVar[str] = "videobert_jax.tasks.mixture:make"
    complete: ClassVar[str] = "videobert_jax.tasks.mixture:complete"
    name: str = setting("mixture", Choice(("mixture",)))
    parts: Mapping[str, PartConfig] = dataclasses.field(default_factory=dict)  # by name

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """At least one part has rows; parts are no mixtures; their names are identifiers, as names of heads need."""
        if not self.parts:
            yield "name", "another task, or at least one part in task.parts"
        elif not any(part.weight for part in self.parts.values()):
            yield f"parts.{next(iter(self.parts))}.weight", "more than 0 for at least one part"
        for name, part in self.parts.items():
            if isinstance(part.task, MixtureConfig):
                yield f"parts.{name}.task.name", "another task than a mixture, as part of one"
            elif not name.isidentifier():
                yield f"parts.{name}.weight", f"letters, digits and _ in the name of the part, which is {name!r}"
            else:
                yield from ((f"parts.{name}.task.{key}", expected) for key, expected in part.task.contradictions())

    def completed(self, before: Self) -> Self:
        """Completes the section of each part."""
        parts = dict(self.parts)
        for name in self.parts.keys() & before.parts.keys():
            mine, theirs = parts[name].task, before.parts[name].task
            if type(mine) is type(theirs):
                parts[name] = dataclasses.replace(parts[name], task=mine.completed(theirs))
        return dataclasses.replace(self, parts=parts)


TASKS: dict[str, type[TaskConfig]] = {
    "pretraining": PretrainingConfig,
    "classification": ClassificationConfig,
    "answering": AnsweringConfig,
    "retrieval": RetrievalConfig,
    "recommendation": RecommendationConfig,
    "mixture": MixtureConfig,
}
