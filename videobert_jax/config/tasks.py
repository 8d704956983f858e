"""The section `task`. Its `name` selects its class from `TASKS`, which other packages may extend.

A section names the function that makes its task and does not import it: it can be read without JAX.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import ClassVar

from videobert_jax.config.rules import COUNT, SHARE, WEIGHT, Choice, Interval, setting


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """The fields of every task.

    Attributes:
      make: "module:function", (Config, TokenSpace) -> `tasks.task.Task`.
      name: its key in `TASKS`.
    """

    make: ClassVar[str]
    name: str

    def contradictions(self) -> Iterable[tuple[str, str]]:
        """Returns (key within the section, expected value) for each value that is in range but contradicts others."""
        return ()


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


TASKS: dict[str, type[TaskConfig]] = {"pretraining": PretrainingConfig}
