"""What the report shows of held-out segments, evenly spaced over all of them and not chosen for their success."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from videobert_jax.data.segments import Segment, evenly_spaced
from videobert_jax.evaluation.caption_words import IMPERATIVES, CaptionReader
from videobert_jax.inference.fill import Fillings
from videobert_jax.tokenizer import TextTokenizer

T = TypeVar("T")

FRAMES = 6  # of a segment, at most


@dataclasses.dataclass(frozen=True)
class Guess:
    """One filling of a blank; `right` is None where the truth is not known."""

    word: str
    probability: float
    right: bool | None


@dataclasses.dataclass(frozen=True)
class Reading:
    """A segment of held-out video, and how the model fills in the template beside it.

    Attributes:
      video_id: the video's name.
      caption: the ground truth, empty if there is none.
      narration: what is said meanwhile.
      unseen: the caption has a verb and an object, which never occur together in training.
      frames: JPEG files, in the order of time.
      blanks: for each blank the likeliest words, best first.
    """

    video_id: str
    caption: str
    narration: str
    unseen: bool
    frames: tuple[bytes, ...]
    blanks: tuple[tuple[Guess, ...], ...]


def read(
    segments: Sequence[Segment],
    answers: Fillings,
    unseen: np.ndarray,
    words: TextTokenizer,
    thumbnails: Callable[[str], Sequence[bytes]],
    parse: CaptionReader = IMPERATIVES,
) -> list[Reading]:
    """Puts n segments and the answers about them together.

    Args:
      segments: n of them.
      answers: of the same, from `inference.fill.ask`.
      unseen: bool [n].
      words: the meaning of text ids.
      thumbnails: gives a video's JPEG files, one for each clip.
      parse: reads the captions.
    """
    readings = []
    for index, segment in enumerate(segments):
        verb, objects = parse(segment.caption)
        blanks = tuple(
            tuple(
                Guess(name := words.name(id_), probability, name in right if any(right) else None)
                for id_, probability in zip(ids, probabilities, strict=True)
            )
            for ids, probabilities, right in zip(
                answers.ids[index].tolist(), answers.probabilities[index].tolist(), ((verb,), objects), strict=True
            )
        )
        is_unseen = bool(objects) and bool(unseen[index])  # a caption without objects has no pair
        clips = thumbnails(segment.video_id)[segment.start_clip :][: len(segment.visual_ids)]
        frames, narration = (
            tuple(clips[place] for place in evenly_spaced(len(clips), FRAMES)),
            words.decode(segment.spoken),
        )
        readings.append(Reading(segment.video_id, segment.caption, narration, is_unseen, frames, blanks))
    return readings


def sentences_to_picture(template: str, segments: Iterable[Segment], parse: CaptionReader = IMPERATIVES) -> list[str]:
    """The template with its blanks filled in by the verb and the first object of every different caption, sorted."""
    parsed = {parse(segment.caption) for segment in segments}
    fillings = sorted({(verb, objects[0]) for verb, objects in parsed if objects})
    return [template.replace("[MASK]", verb, 1).replace("[MASK]", word, 1) for verb, word in fillings]
