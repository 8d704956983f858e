"""A tokenizer folder as the evaluation needs it: text to ids, and back."""

import pathlib
import re
from collections.abc import Sequence

import tokenizers

from videobert_jax.tokens import TokenSpace

BEFORE_MARK = re.compile(r" (?=[.,;:!?])")
CONTRACTED = re.compile(r" ' (?=(?:s|t|m|d|re|ve|ll)\b)")


class Words:
    """Text and its ids, by a ``tokenizer.json`` as prepared data have it."""

    def __init__(self, folder: pathlib.Path, tokens: TokenSpace) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._unknown = tokens.unknown

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without ``[CLS]`` and ``[SEP]`` around it; a ``[MASK]`` in it is that token."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, as it is usually spaced."""
        text = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return CONTRACTED.sub("'", BEFORE_MARK.sub("", text))

    def name(self, id_: int) -> str:
        """A single token as the vocabulary spells it, as "##s"; empty for an id without a token."""
        return self._tokenizer.id_to_token(id_) or ""

    def id_of(self, word: str) -> int | None:
        """The id of `word` if it is a single token that is known."""
        ids = self.encode(word)
        return ids[0] if len(ids) == 1 and ids[0] != self._unknown else None
