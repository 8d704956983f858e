"""Rows for several tasks at once: each is a row of one of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from videobert_jax.data.augmentation import Augmentable, Augmentation
from videobert_jax.data.batch import POSITIONS, ArraySpec, Row
from videobert_jax.data.batching import Drawn, RowMaker
from videobert_jax.errors import ConfigError


@dataclasses.dataclass(frozen=True, eq=False)
class MixtureRows:
    """Makes a row of examples of one part; a `batching.RowMaker`.

    Attributes:
      parts: the row makers of the parts, by name, which have rows of the same length.
    """

    parts: Mapping[str, RowMaker]

    @property
    def shapes(self) -> Mapping[str, ArraySpec]:
        """The arrays of every row.

        Those of `batch.POSITIONS`, which the trunk reads, are shared. All others are a part's own: "action/labels" are
        the labels of the part "action", and zeros in rows of other parts. `part` is the number of the row's part.
        """
        specs = {"part": ArraySpec((), np.dtype(np.int32))}
        for part, row in self.parts.items():
            specs |= {named(part, name): spec for name, spec in row.shapes.items()}
        return specs

    def __call__(self, examples: Sequence[Drawn], rng: np.random.Generator) -> Row:
        """Makes one row. Raises ValueError for examples of several parts."""
        names = {one.part for one in examples}
        if len(names) != 1:
            raise ValueError(f"a row of examples of {len(names)} parts, {sorted(names)}; expected one")
        (part,) = names
        own = self.parts[part]([one.example for one in examples], rng)
        row = {name: np.zeros(*spec) for name, spec in self.shapes.items()}
        row["part"][...] = list(self.parts).index(part)
        return row | {named(part, name): array for name, array in own.items()}

    def augmented(self, augmentation: Augmentation) -> Self:
        """The same with the rows of all parts augmented. Raises ConfigError if those of one cannot be."""
        parts = {}
        for part, row in self.parts.items():
            if not isinstance(row, Augmentable):
                raise ConfigError(
                    f"config.task.parts has {part!r}, whose rows cannot be augmented, since {type(row).__name__} has "
                    "no method `augmented`; set config.data.neighbours, drop_words and drop_clips to 0"
                )
            parts[part] = row.augmented(augmentation)
        return dataclasses.replace(self, parts=parts)


def named(part: str, name: str) -> str:
    """The name, in a mixture, of an array of one of its parts; `model.mixture.of_part` finds it by that."""
    return name if name in POSITIONS else f"{part}/{name}"
