"""Storyboards: what the model makes of some held-out clips, and what it pictures for some sentences.

They are evenly spaced over the held-out segments, not chosen for their success.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from videobert_jax.data.segments import Segment
from videobert_jax.data.sequences import TokenSequence, encode_joint
from videobert_jax.evaluation.caption_words import verb_and_objects
from videobert_jax.evaluation.zero_shot import Fill, fill_in
from videobert_jax.inference.fill import Fillings
from videobert_jax.tokenizer import TextTokenizer
from videobert_jax.tokens import TokenSpace

T = TypeVar("T")

FRAMES = 6  # of a segment, at most
PICTURED_CLIPS = 5  # positions that a sentence is pictured in
ALTERNATIVES = 3  # visual words for each of them (the paper shows the three best)


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
      unseen: the caption's verb and object never occur together in training.
      frames: JPEG files, in the order of time.
      blanks: for each blank the likeliest words, best first.
    """

    video_id: str
    caption: str
    narration: str
    unseen: bool
    frames: tuple[bytes, ...]
    blanks: tuple[tuple[Guess, ...], ...]


@dataclasses.dataclass(frozen=True)
class Picturing:
    """A sentence, and the visual words that the model expects beside it.

    Attributes:
      sentence: as it was given.
      pictures: for each position in time the JPEG files of the likeliest visual words, best first.
      probabilities: of the same.
    """

    sentence: str
    pictures: tuple[tuple[bytes, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly spaced."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]


def read(
    segments: Sequence[Segment],
    answers: Fillings,
    unseen: np.ndarray,
    words: TextTokenizer,
    thumbnails: Callable[[str], Sequence[bytes]],
) -> list[Reading]:
    """Puts n segments and the answers about them together.

    Args:
      segments: n of them.
      answers: of the same, from `zero_shot.ask`.
      unseen: bool [n].
      words: the meaning of text ids.
      thumbnails: gives a video's JPEG files, one for each clip.
    """
    readings = []
    for index, segment in enumerate(segments):
        verb, objects = verb_and_objects(segment.caption)
        blanks = tuple(
            tuple(
                Guess(name := words.name(id_), probability, name in right if segment.caption else None)
                for id_, probability in zip(ids, probabilities, strict=True)
            )
            for ids, probabilities, right in zip(
                answers.ids[index].tolist(), answers.probabilities[index].tolist(), ((verb,), objects), strict=True
            )
        )
        clips = thumbnails(segment.video_id)[segment.start_clip :][: len(segment.visual_ids)]
        frames, narration = tuple(evenly(clips, FRAMES)), words.decode(segment.spoken)
        readings.append(Reading(segment.video_id, segment.caption, narration, bool(unseen[index]), frames, blanks))
    return readings


def sentences_to_picture(template: str, segments: Iterable[Segment]) -> list[str]:
    """The template with its blanks filled in by the verb and the first object of every different caption, sorted."""
    parsed = {verb_and_objects(segment.caption) for segment in segments}
    fillings = sorted({(verb, objects[0]) for verb, objects in parsed if objects})
    return [template.replace("[MASK]", verb, 1).replace("[MASK]", word, 1) for verb, word in fillings]


def picture(
    fill: Fill,
    sentences: Sequence[str],
    encode: Callable[[str], Sequence[int]],
    picture_of: Callable[[int], bytes],
    tokens: TokenSpace,
) -> list[Picturing]:
    """Fills ``[CLS] sentence [>] [MASK] ... [SEP]`` with the best visual words at each position (the paper's figure 1).

    Args:
      fill: the model.
      sentences: any number.
      encode: text to text ids.
      picture_of: a visual word, in [0, V), to the JPEG file that stands for it.
      tokens: the joint vocabulary.
    """
    if not sentences:
        return []
    sequences = [_masked(np.array(encode(sentence), np.int32), tokens) for sentence in sentences]
    picturings = []
    for sentence, ids, probabilities in zip(sentences, *fill_in(fill, sequences, "video", tokens), strict=True):
        best = [
            [(int(id_) - tokens.text_size, float(p)) for id_, p in zip(*place, strict=True) if p > 0][:ALTERNATIVES]
            for place in zip(ids, probabilities, strict=True)
        ]
        pictures = tuple(tuple(picture_of(word) for word, _ in words) for words in best)
        picturings.append(Picturing(sentence, pictures, tuple(tuple(p for _, p in words) for words in best)))
    return picturings


def _masked(words: np.ndarray, tokens: TokenSpace) -> TokenSequence:
    sequence = encode_joint(words, np.zeros(PICTURED_CLIPS, np.int32), tokens)
    return sequence._replace(ids=np.where(sequence.ids >= tokens.text_size, tokens.mask, sequence.ids))
