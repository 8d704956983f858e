"""How long moments are, by words."""

import json

import numpy as np
import pytest

from videobert_jax.inference.lengths import Lengths

CHAPTER, STEP, FOOD, OTHER = 7, 8, 9, 10


def test_words_tell_the_length() -> None:
    texts = [(CHAPTER, FOOD), (CHAPTER, OTHER, OTHER), (STEP, FOOD), (OTHER, STEP)] * 20
    lengths = Lengths.fit(texts, [100.0, 100.0, 10.0, 10.0] * 20)
    assert lengths([CHAPTER, FOOD]) == pytest.approx(100, rel=0.1)
    assert lengths([STEP, STEP, OTHER, 99]) == pytest.approx(10, rel=0.1)  # 99 is unknown
    assert lengths([]) == pytest.approx(np.sqrt(1000))


def test_a_word_that_is_seen_once_tells_half() -> None:
    lengths = Lengths.fit([(STEP,), (CHAPTER,)], [10.0, 100.0])
    assert lengths([CHAPTER]) == pytest.approx(np.sqrt(1000) * 10 ** (0.5 / 2))
    assert Lengths.fit([(STEP,)], [10.0])([CHAPTER]) == pytest.approx(10)


def test_lengths_are_kept_as_json() -> None:
    lengths = Lengths.fit([(STEP,), (CHAPTER, FOOD)], [10.0, 100.0])
    assert Lengths.from_dict(json.loads(json.dumps(lengths.as_dict()))) == lengths
