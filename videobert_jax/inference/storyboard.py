"""Words to video: what a model pictures for a sentence (VideoBERT, figure 1)."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from videobert_jax.data.sequences import TokenSequence, encode_joint
from videobert_jax.inference.fill import Fill, fill_in
from videobert_jax.tokens import TokenSpace

PICTURED_CLIPS = 5  # positions that a sentence is pictured in
ALTERNATIVES = 3  # visual words for each of them (the paper shows the three best)


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
