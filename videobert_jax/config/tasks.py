"""The section `task`: what is learnt. Its `name` chooses its class from a table, which other packages may add to.

A section names the function that makes its task and does not import it: it can be read without JAX.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import ClassVar

from videobert_jax.config.rules import COUNT, SHARE, WEIGHT, Choice, setting


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """What every task has.

    Attributes:
      make: "module:function", (Config, TokenSpace) -> `tasks.task.Task`.
      name: its key in `TASKS`.
    """

    make: ClassVar[str]
    name: str

    def contradictions(self) -> Iterable[tuple[str, str]]:
        """The key, within the section, of each value that does not go together with others, and what is expected.

        Each value by itself meets its rule already.
        """
        return ()


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the summed losses; the paper publishes none."""

    text: float = setting(1.0, WEIGHT)  # masked words
    video: float = setting(1.0, WEIGHT)  # masked visual words
    alignment: float = setting(1.0, WEIGHT)


@dataclasses.dataclass(frozen=True)
class PretrainingConfig(TaskConfig):
    """Masked words, masked visual words and text-video alignment (VideoBERT, sections 3.2 and 3.3)."""

    make: ClassVar[str] = "videobert_jax.tasks.pretraining:make"
    name: str = setting("pretraining", Choice(("pretraining",)))
    text_only: float = setting(1.0, WEIGHT)  # the mix of modes, as relative weights
    video_only: float = setting(1.0, WEIGHT)
    joint: float = setting(2.0, WEIGHT)
    misaligned: float = setting(0.5, SHARE)  # share of the joint sequences whose text comes from another chunk
    misaligned_from: str = setting("other_video", Choice(("other_video", "same_video")))
    concatenate: float = setting(0.5, SHARE)  # probability of each further neighbouring sentence (paper: "randomly")
    max_subsampling: int = setting(5, COUNT)  # visual tokens are subsampled at a rate of 1 to this (paper: 5)
    # That a joint sequence keeps when it is subsampled, if it has them (paper: unknown).
    min_clips: int = setting(1, COUNT)
    video_only_tokens: int = setting(16, COUNT)  # visual tokens of a video-only sequence (paper: 16)
    masking: float = setting(0.15, SHARE)
    mask_video: float = setting(0.0, SHARE)  # share of the joint sequences whose visual words are all masked (paper: 0)
    mask_joint: bool = True  # mask joint sequences too (paper's figure), or train alignment alone on them (its text)
    mask_misaligned: bool = False  # predict masked tokens of misaligned sequences
    max_predictions: int = setting(80, COUNT)  # K, masked positions per row
    chunks_per_row: int = setting(4, COUNT)  # records that one row draws its sequences from
    weights: LossWeights = LossWeights()

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Something has to be drawn, and something to be learnt from it."""
        if not self.text_only + self.video_only + self.joint:
            yield "joint", "more than 0 where task.text_only and task.video_only are 0"
        if not self.weights.text + self.weights.video + self.weights.alignment:
            yield "weights.text", "more than 0 where task.weights.video and task.weights.alignment are 0"


TASKS: dict[str, type[TaskConfig]] = {"pretraining": PretrainingConfig}
