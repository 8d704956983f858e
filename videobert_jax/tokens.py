"""The joint id space, one vocabulary for words and visual words, and the modes of its sequences.

Text ids ``[0, text_size)`` are the tokenizer's own; visual ids follow in ``[text_size, text_size + visual_size)``
(VideoBERT, section 3.2). The embedding table is padded so that it divides evenly over a device mesh and fills the lanes
of a matrix unit; the prediction head masks the padded logits. All sizes and ids are defined here.
"""

import dataclasses
import enum
import json
import pathlib

PADDING_MULTIPLE = 256


class Mode(enum.IntEnum):
    """The modalities in a sequence."""

    NONE = 0
    TEXT = 1
    VIDEO = 2
    JOINT = 3


@dataclasses.dataclass(frozen=True)
class TokenSpace:
    """Ids and sizes of the joint vocabulary.

    Attributes:
      text_size: number of text ids, including the special ones and the joiner.
      visual_size: number of visual words.
      pad, unknown, cls, sep, mask, joiner: ids of the special tokens; ``joiner`` is the paper's ``[>]``.
      unused: other text ids that never stand for a word, such as BERT's ``[unused1]``.
      continuing: text ids that continue a word, such as WordPiece's ``##s``; ascending.
      feature_size: numbers of a clip's feature, P, which records keep beside its visual word; 0: none.
      codebooks: further words of a clip, C, which describe what its visual word leaves out.
      codebook_size: number of different words in each codebook.
    """

    text_size: int
    visual_size: int
    pad: int
    unknown: int
    cls: int
    sep: int
    mask: int
    joiner: int
    unused: tuple[int, ...] = ()
    continuing: tuple[int, ...] = ()
    feature_size: int = 0
    codebooks: int = 0
    codebook_size: int = 0

    def __post_init__(self) -> None:
        specials = (self.pad, self.unknown, self.cls, self.sep, self.mask, self.joiner)
        if len(set(specials)) != len(specials):
            raise ValueError(f"special tokens must have distinct ids, got {specials}")
        for token in (*specials, *self.unused):
            if not 0 <= token < self.text_size:
                raise ValueError(f"special id {token} is outside the text range [0, {self.text_size})")
        if self.visual_size < 1:
            raise ValueError(f"visual_size must be at least 1, got {self.visual_size}")

    @property
    def specials(self) -> tuple[int, ...]:
        """Text ids that are never masked, predicted or drawn as a random replacement."""
        return (self.pad, self.unknown, self.cls, self.sep, self.mask, self.joiner, *self.unused)

    @property
    def size(self) -> int:
        """Number of ids in use."""
        return self.text_size + self.visual_size

    @property
    def padded_size(self) -> int:
        """Rows of the embedding table: `size` rounded up to a multiple of 256."""
        return -(-self.size // PADDING_MULTIPLE) * PADDING_MULTIPLE

    def with_details(self, feature_size: int, codebooks: int, codebook_size: int) -> "TokenSpace":
        """The same with what records keep of clips; nothing is kept without a feature."""
        if not feature_size:
            return self
        size = codebook_size if codebooks else 0
        return dataclasses.replace(self, feature_size=feature_size, codebooks=codebooks, codebook_size=size)

    def save(self, path: pathlib.Path) -> None:
        """Writes JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: pathlib.Path) -> "TokenSpace":
        """Reads a file written by `save`."""
        fields = json.loads(path.read_text())
        listed = {name: tuple(fields.get(name, ())) for name in ("unused", "continuing")}
        return cls(**{**fields, **listed})
