import dataclasses
import pathlib

import pytest

from videobert_jax.tokens import TokenSpace

SPACE = TokenSpace(text_size=1000, visual_size=500, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5, unused=(7, 8))


@pytest.mark.parametrize(("visual", "padded"), [(500, 1536), (24, 1024), (25, 1280)])
def test_padded_size_is_the_next_multiple(visual: int, padded: int) -> None:
    space = dataclasses.replace(SPACE, visual_size=visual)
    assert space.size == 1000 + visual
    assert space.padded_size == padded


def test_round_trip(tmp_path: pathlib.Path) -> None:
    SPACE.save(tmp_path / "tokens.json")
    assert TokenSpace.load(tmp_path / "tokens.json") == SPACE


def test_specials_hold_the_unused() -> None:
    assert set(SPACE.specials) == {0, 1, 2, 3, 4, 5, 7, 8}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": 3}, "distinct"),
        ({"joiner": 1000}, "1000 is outside the text range"),
        ({"unused": (-1,)}, "-1 is outside the text range"),
        ({"visual_size": 0}, "visual_size must be at least 1"),
    ],
)
def test_nonsense_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SPACE, **change)


def test_sizes_of_details_are_known_where_details_are_kept() -> None:
    kept = SPACE.with_details(feature_size=128, codebooks=8, codebook_size=256)
    assert (kept.feature_size, kept.codebooks, kept.codebook_size) == (128, 8, 256)
    assert SPACE.with_details(128, 0, 256) == dataclasses.replace(SPACE, feature_size=128)
    assert SPACE.with_details(0, 8, 256) == SPACE
