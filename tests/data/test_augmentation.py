"""What training changes in sequences, and what it leaves alone."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from videobert_jax.config import DataConfig, PretrainingConfig
from videobert_jax.data.augmentation import Augmentable, Augmentation, Joined, augment, names_a_side
from videobert_jax.data.records import ClipDetails, Record
from videobert_jax.data.rows.labelled import Labelled, LabelledRows
from videobert_jax.data.rows.pairs import Pair, PairRows
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.data.rows.viewings import ViewingRows, Watched
from videobert_jax.data.segments import segment
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text, encode_video
from videobert_jax.tokens import TokenSpace

TOKENS = TokenSpace(
    text_size=100, visual_size=6, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5, continuing=tuple(range(50, 100))
)
WORDS = np.array([10, 60, 61, 11, 12, 70, 13], np.int32)  # four words, the first of three WordPieces, the third of two
OF_WORD = {10: (10, 60, 61), 11: (11,), 12: (12, 70), 13: (13,)}
CLIPS = np.array([0, 1, 2, 3, 4, 5, 0, 1], np.int32)
TABLE = np.array([[1, 2], [0, 2], [0, 1], [4, -1], [3, -1], [-1, -1]], np.int32)
DETAILS = ClipDetails(np.arange(16, dtype=np.float16).reshape(8, 2), np.arange(8, dtype=np.int32)[:, None])
JOINT = encode_joint(WORDS, CLIPS, TOKENS)._replace(clips=DETAILS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def parts(sequence: TokenSequence) -> tuple[list[int], list[int]]:
    """The words and the visual words of a sequence whose special tokens are all there, in their places."""
    ids, length = sequence.ids.tolist(), sequence.text_length
    assert (ids[0], ids[length - 1], ids[-1]) == (TOKENS.cls, TOKENS.joiner, TOKENS.sep)
    words, clips = ids[1 : length - 1], [one - TOKENS.text_size for one in ids[length:-1]]
    assert all(5 < one < TOKENS.text_size for one in words)
    assert min(clips) >= 0
    return words, clips


def test_without_it_sequences_are_the_same_and_nothing_is_drawn() -> None:
    drawn, sequences = rng(), [JOINT, encode_text(WORDS, TOKENS)]
    assert augment(sequences, None, drawn) is sequences
    assert drawn.random() == rng().random()


def test_visual_words_become_neighbours_and_all_else_stays() -> None:
    augmentation = Augmentation(TOKENS, neighbours=1.0, table=TABLE)
    seen = set()
    for seed in range(50):
        changed = augmentation(JOINT, rng(seed))
        words, clips = parts(changed)
        assert words == WORDS.tolist()
        for clip, other in zip(CLIPS.tolist(), clips, strict=True):
            known = [one for one in TABLE[clip].tolist() if one >= 0]
            assert other in (known or [clip])
            seen.add((clip, other))
        np.testing.assert_array_equal(changed.clips.features, DETAILS.features)
    assert seen == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 4), (4, 3), (5, 5)}
    assert JOINT.ids[9:-1].tolist() == (CLIPS + TOKENS.text_size).tolist()  # the input is as it was


def test_shares_are_kept() -> None:
    many = encode_joint(np.full(3000, 10, np.int32), np.zeros(3000, np.int32), TOKENS)
    words, clips = parts(Augmentation(TOKENS, 0.3, 0.2, 0.4, TABLE)(many, rng()))
    assert len(words) / 3000 == pytest.approx(0.8, abs=0.03)
    assert len(clips) / 3000 == pytest.approx(0.6, abs=0.03)
    assert np.mean(np.array(clips) != 0) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("share", [0.5, 0.999999])
def test_whole_words_and_clips_are_left_out_but_for_one(share: float) -> None:
    sizes = set()
    for seed in range(60):
        changed = Augmentation(TOKENS, drop_words=share, drop_clips=share)(JOINT, rng(seed))
        words, clips = parts(changed)
        starts = [one for one in words if one in OF_WORD]
        assert words == [piece for one in starts for piece in OF_WORD[one]]
        assert starts == sorted(starts)
        kept = changed.clips.codes[:, 0].tolist()
        assert kept == sorted(kept)
        assert clips == CLIPS[kept].tolist()
        np.testing.assert_array_equal(changed.clips.features, DETAILS.features[kept])
        sizes.add((len(starts), len(clips)))
    fewest = tuple(map(min, zip(*sizes, strict=True)))
    assert fewest == (1, 1)
    assert (sizes == {(1, 1)}) == (share > 0.9)


def test_sequences_of_one_kind_keep_what_they_are_of() -> None:
    everything = Augmentation(TOKENS, 1.0, 0.9, 0.9, TABLE)
    text = everything(encode_text(WORDS, TOKENS), rng())
    assert (text.ids[0], text.ids[-1], text.text_length) == (TOKENS.cls, TOKENS.sep, len(text.ids))
    words, clips = parts(everything(encode_video(CLIPS, TOKENS), rng()))
    assert words == []
    assert len(clips) >= 1
    nothing = encode_text(WORDS[:0], TOKENS)
    assert everything(nothing, rng()).ids.tolist() == nothing.ids.tolist()


RECORD = Record(
    video_id="a",
    start_clip=0,
    clip_seconds=1.0,
    visual_ids=CLIPS,
    token_ids=WORDS,
    sentence_offsets=np.array([0, 7], np.int32),
    sentence_starts=np.zeros(1, np.float32),
    sentence_ends=np.full(1, 8, np.float32),
)
SEGMENT = segment(RECORD, 0, 8)
SIZES = DataConfig(sequence_length=64, max_sequences=2)
ROWS: dict[str, tuple[Any, Any]] = {
    "labelled": (LabelledRows(TOKENS, SIZES, "both", 3), Labelled(SEGMENT, SEGMENT.spoken, (0,))),
    "pairs": (PairRows(TOKENS, SIZES, "both"), Pair(SEGMENT, SEGMENT.spoken)),
    "viewings": (ViewingRows(TOKENS, SIZES, "both"), Watched("u", (SEGMENT,), SEGMENT, 0.5)),
    "pretraining": (PretrainingRows(TOKENS, PretrainingConfig(max_predictions=8), SIZES), RECORD),
}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_maker_augments_what_it_packs(name: str) -> None:
    row, example = ROWS[name]
    assert isinstance(row, Augmentable)
    training = row.augmented(Augmentation(TOKENS, drop_words=0.999999, drop_clips=0.999999))
    assert training.shapes == row.shapes
    assert dataclasses.replace(training, augmentation=None) == row
    plain, changed = row([example], rng()), training([example], rng())
    assert {key: (array.shape, array.dtype) for key, array in changed.items()} == {
        key: (spec.shape, spec.dtype) for key, spec in row.shapes.items()
    }
    assert np.count_nonzero(changed["sequence_ids"]) < np.count_nonzero(plain["sequence_ids"])
    for key, array in training([example], rng()).items():
        np.testing.assert_array_equal(array, changed[key])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("turn it to the left", True),
        ("Right-handed cooks", True),
        ("What is LEFT?", True),
        ("brighten the leftovers", False),
        ("alright", False),
        ("", False),
    ],
)
def test_left_and_right_count_as_whole_words(text: str, names: bool) -> None:
    assert names_a_side(text) == names


def test_joined_examples_follow_each_other() -> None:
    joined = Joined([[1, 2], [], [3]])
    assert [joined[index] for index in range(len(joined))] == [1, 2, 3]
    for index in (-1, 3):
        with pytest.raises(IndexError, match="of 3"):
            joined[index]
