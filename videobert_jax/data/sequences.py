"""Token sequences: ``[CLS] words [>] clips [SEP]`` (VideoBERT, section 3.2)."""

from typing import NamedTuple

import numpy as np

from videobert_jax.data.records import ClipDetails
from videobert_jax.tokens import Mode, TokenSpace


class TokenSequence(NamedTuple):
    """One input to BERT.

    Attributes:
      mode: text, video or both.
      ids: int32 [n], ids of the joint space, special tokens included.
      text_length: number of positions in segment 0; the others are in segment 1.
      aligned: whether words and clips match; False only for joint sequences.
      clips: what is known of the clips besides their visual words, in their order; None: nothing.
      overlap: how many of the next clips share frames with a clip.
      video_id: the video of the clips.
    """

    mode: Mode
    ids: np.ndarray
    text_length: int
    aligned: bool = True
    clips: ClipDetails | None = None
    overlap: int = 0
    video_id: str = ""

    @property
    def segment_types(self) -> np.ndarray:
        """Int32 [n]: 0 text, 1 video."""
        return (np.arange(len(self.ids)) >= self.text_length).astype(np.int32)


def encode_text(words: np.ndarray, tokens: TokenSpace) -> TokenSequence:
    """Returns ``[CLS] words [SEP]`` for text ids."""
    ids = np.empty(len(words) + 2, np.int32)
    ids[0] = tokens.cls
    ids[1:-1] = words
    ids[-1] = tokens.sep
    return TokenSequence(Mode.TEXT, ids, text_length=len(ids))


def encode_video(visual_ids: np.ndarray, tokens: TokenSpace) -> TokenSequence:
    """Returns ``[CLS] [>] clips [SEP]`` for visual ids in ``[0, V)``."""
    return encode_joint(visual_ids[:0], visual_ids, tokens)._replace(mode=Mode.VIDEO)


def encode_joint(words: np.ndarray, visual_ids: np.ndarray, tokens: TokenSpace, aligned: bool = True) -> TokenSequence:
    """Returns ``[CLS] words [>] clips [SEP]`` for text ids and visual ids in ``[0, V)``."""
    joiner = 1 + len(words)
    ids = np.empty(joiner + len(visual_ids) + 2, np.int32)
    ids[0] = tokens.cls
    ids[1:joiner] = words
    ids[joiner] = tokens.joiner
    np.add(visual_ids, tokens.text_size, out=ids[joiner + 1 : -1])
    ids[-1] = tokens.sep
    return TokenSequence(Mode.JOINT, ids, text_length=joiner + 1, aligned=aligned)
