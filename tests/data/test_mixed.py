"""Parts of a mixture take turns, and each is read as it would be by itself."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from videobert_jax.config import DataConfig
from videobert_jax.data import batching
from videobert_jax.data.augmentation import Augmentation
from videobert_jax.data.batch import ArraySpec, Row
from videobert_jax.data.batching import Drawn, Mixed, Share
from videobert_jax.data.rows.mixture import MixtureRows
from videobert_jax.errors import ConfigError
from videobert_jax.tokens import TokenSpace

CONFIG = DataConfig(batch_size=8)
TOKENS = TokenSpace(text_size=20, visual_size=8, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5)


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Rows of `size` numbers, and a draw."""

    size: int

    @property
    def shapes(self) -> dict[str, ArraySpec]:
        integers = np.dtype(np.int32)
        return {
            "token_ids": ArraySpec((4,), integers),
            "targets": ArraySpec((self.size,), integers),
            "drawn": ArraySpec((), integers),
        }

    def __call__(self, examples: Sequence[int], rng: np.random.Generator) -> Row:
        values = {"token_ids": np.full(4, self.size), "targets": examples, "drawn": rng.integers(1, 1000)}
        return {name: np.array(value, np.int32) for name, value in values.items()}


PARTS = {"few": (range(100, 107), 2, 1.0), "many": (range(200, 260), 3, 2.0), "one": (range(300, 305), 1, 1.0)}
ROWS = MixtureRows({name: Numbers(group) for name, (_, group, _) in PARTS.items()})


def mixed(*names: str) -> Mixed:
    return Mixed(tuple(Share(name, *PARTS[name]) for name in names))


def rows_of(examples: Mixed, count: int) -> list[Row]:
    data = batching.dataset(examples, ROWS, 1, CONFIG, 0)
    batches = (data[step] for step in range(count // CONFIG.batch_size))
    return [{name: array[row] for name, array in batch.items()} for batch in batches for row in range(8)]


def test_rows_are_shared_by_weight_at_every_step() -> None:
    numbers = [int(row["part"]) for row in rows_of(mixed(*PARTS), 160)]
    assert collections.Counter(numbers) == {0: 40, 1: 80, 2: 40}
    for first in range(0, 160, 8):
        assert collections.Counter(numbers[first : first + 8]) == {0: 2, 1: 4, 2: 2}


def test_the_rows_of_a_part_are_those_it_has_alone() -> None:
    together = rows_of(mixed(*PARTS), 160)
    for number, (name, (examples, group, _)) in enumerate(PARTS.items()):
        mine = [row for row in together if row["part"] == number]
        data = batching.dataset(examples, Numbers(group), group, DataConfig(batch_size=1), 0)
        for step, row in enumerate(mine):
            for array, expected in data[step].items():
                place = array if array == "token_ids" else f"{name}/{array}"
                np.testing.assert_array_equal(row[place], expected[0])
        seen = np.concatenate([row[f"{name}/targets"] for row in mine])
        for epoch in range(len(seen) // len(examples)):
            assert sorted(seen[epoch * len(examples) : (epoch + 1) * len(examples)]) == list(examples)


def test_arrays_of_other_parts_are_zero() -> None:
    for row in rows_of(mixed(*PARTS), 40):
        own = list(PARTS)[int(row["part"])]
        assert {name: (array.shape, array.dtype) for name, array in row.items()} == ROWS.shapes
        for name, array in row.items():
            assert np.all(array > 0) if name.startswith((f"{own}/", "token")) else not array.any() or name == "part"


def test_any_step_and_any_row_can_be_read_by_itself() -> None:
    whole = batching.dataset(mixed(*PARTS), ROWS, 1, CONFIG, 3)
    some = batching.dataset(mixed(*PARTS), ROWS, 1, CONFIG, 3, rows=[5, 1])
    stream = batching.batches(whole, 1000, CONFIG)
    for step in (1000, 1001):
        batch = next(stream)
        for name, array in whole[step].items():
            np.testing.assert_array_equal(batch[name], array)
            np.testing.assert_array_equal(some[step][name], array[[5, 1]])
    stream.close()
    another = batching.dataset(mixed(*PARTS), ROWS, 1, CONFIG, 4)
    assert not np.array_equal(another[1000]["many/targets"], whole[1000]["many/targets"])


def test_the_examples_of_a_step_are_named() -> None:
    (batch,) = [batching.examples_of_step(mixed(*PARTS), 1, CONFIG, 0, 5)]
    rows = batching.dataset(mixed(*PARTS), ROWS, 1, CONFIG, 0)[5]
    for number, group in enumerate(batch):
        part = list(PARTS)[int(rows["part"][number])]
        assert {one.part for one in group} == {part}
        assert [one.example for one in group] == rows[f"{part}/targets"][number].tolist()


def test_examples_have_random_access() -> None:
    examples = mixed("few", "one")
    assert [examples[index] for index in (0, 6, 7, 11)] == [
        *(Drawn("few", 100), Drawn("few", 106), Drawn("one", 300), Drawn("one", 304))
    ]
    with pytest.raises(IndexError, match="example 12 of 12"):
        examples[len(examples)]


def test_a_row_has_one_part() -> None:
    with pytest.raises(ValueError, match=r"a row of examples of 2 parts, \['few', 'one'\]"):
        ROWS([Drawn("few", 100), Drawn("one", 300)], np.random.default_rng(0))


def test_rows_that_cannot_be_augmented_are_named() -> None:
    with pytest.raises(ConfigError, match=r"parts has 'few', whose rows cannot be augmented, since Numbers"):
        ROWS.augmented(Augmentation(TOKENS))
