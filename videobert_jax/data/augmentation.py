"""Augmentation of token sequences, for training alone: neighbours of visual words, and tokens that are left out.

Row makers with a field `augmentation` apply it before they pack and mask; `training/training_data.py` sets it.
"""

import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from videobert_jax.data.sequences import TokenSequence
from videobert_jax.tokens import TokenSpace

SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)


def names_a_side(text: str) -> bool:
    """Whether left or right is a word of a text: what it says may not be true of a mirrored picture."""
    return SIDES.search(text) is not None


@dataclasses.dataclass(frozen=True, eq=False)
class Augmentation:
    """Changes the sequences of training rows at random; special tokens stay.

    Attributes:
      tokens: the joint vocabulary.
      neighbours: probability that a visual word becomes one of its neighbours, if it has any. What else is known of the
        clip stays, and a masked clip is to be predicted as the neighbour.
      drop_words: probability that a word is left out, with all its WordPieces; one word stays.
      drop_clips: the same of a clip.
      table: int32 [V, n], the neighbours of each visual word, then -1; needed if `neighbours` is above 0.
    """

    tokens: TokenSpace
    neighbours: float = 0.0
    drop_words: float = 0.0
    drop_clips: float = 0.0
    table: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0), np.int32))

    def __call__(self, sequence: TokenSequence, rng: np.random.Generator) -> TokenSequence:
        """Augments ``[CLS] words [>] clips [SEP]``, or a part of that."""
        ids = sequence.ids.copy()
        clips = np.flatnonzero(ids >= self.tokens.text_size)
        if self.neighbours and len(clips):
            ids[clips] = self._neighbours(ids[clips] - self.tokens.text_size, rng) + self.tokens.text_size
        kept = np.ones(len(ids), bool)
        words = np.arange(1, sequence.text_length - 1)
        if self.drop_words and len(words):
            number = np.cumsum(~self._continues[ids[words]])
            number -= number[0]  # the index of the word that each WordPiece belongs to
            kept[words] = _stays(int(number[-1]) + 1, self.drop_words, rng)[number]
        if self.drop_clips and len(clips):
            kept[clips] = _stays(len(clips), self.drop_clips, rng)
        details = None if sequence.clips is None else sequence.clips.at(kept[clips])
        length = int(kept[: sequence.text_length].sum())
        return sequence._replace(ids=ids[kept], text_length=length, clips=details)

    def _neighbours(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        near = self.table[words]
        counts = np.sum(near >= 0, axis=1)
        chosen = near[np.arange(len(words)), (rng.random(len(words)) * counts).astype(int)]
        return np.where((rng.random(len(words)) < self.neighbours) & (counts > 0), chosen, words)

    @functools.cached_property
    def _continues(self) -> np.ndarray:
        """Bool [text ids]."""
        continues = np.zeros(self.tokens.text_size, bool)
        continues[list(self.tokens.continuing)] = True
        return continues


def _stays(count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Bool [count], at least one of them true."""
    drawn = rng.random(count)
    return drawn >= min(share, drawn.max())


def augment(
    sequences: Sequence[TokenSequence], augmentation: Augmentation | None, rng: np.random.Generator
) -> Sequence[TokenSequence]:
    """The augmented sequences of a row; without an augmentation the same ones, and nothing is drawn."""
    return sequences if augmentation is None else [augmentation(sequence, rng) for sequence in sequences]


@runtime_checkable
class Augmentable(Protocol):
    """A row maker whose training rows can be augmented."""

    def augmented(self, augmentation: Augmentation) -> Self:
        """The same row maker with its sequences augmented."""


class Joined:
    """Concatenates several sources of examples; thread-safe if they are."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts
        self._stops = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._stops[-1])

    def __getitem__(self, index: int) -> Any:
        """Returns one example."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        number = int(np.searchsorted(self._stops, index, side="right"))
        return self._parts[number][index - int(self._stops[number]) + len(self._parts[number])]
