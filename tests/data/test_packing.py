import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_records import TOKENS

from videobert_jax.data.packing import pack, pad_rows, rows_of_sequences
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text, encode_video
from videobert_jax.tokens import Mode

T = TOKENS.text_size
WORDS = np.array([11, 12, 13], np.int32)
CLIPS = np.array([0, 7], np.int32)


def test_joint_sequence() -> None:
    sequence = encode_joint(WORDS, CLIPS, TOKENS)
    assert sequence.ids.tolist() == [TOKENS.cls, 11, 12, 13, TOKENS.joiner, T, T + 7, TOKENS.sep]
    assert sequence.segment_types.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert (sequence.mode, sequence.aligned) == (Mode.JOINT, True)
    assert not encode_joint(WORDS, CLIPS, TOKENS, aligned=False).aligned
    assert sequence.ids.dtype == sequence.segment_types.dtype == np.int32


def test_text_sequence() -> None:
    sequence = encode_text(WORDS, TOKENS)
    assert sequence.ids.tolist() == [TOKENS.cls, 11, 12, 13, TOKENS.sep]
    assert sequence.segment_types.tolist() == [0] * 5
    assert sequence.mode == Mode.TEXT


def test_video_sequence() -> None:
    sequence = encode_video(CLIPS, TOKENS)
    assert sequence.ids.tolist() == [TOKENS.cls, TOKENS.joiner, T, T + 7, TOKENS.sep]
    assert sequence.segment_types.tolist() == [0, 0, 1, 1, 1]
    assert sequence.mode == Mode.VIDEO


def test_a_packed_row() -> None:
    sequences = [encode_joint(WORDS[:1], CLIPS, TOKENS, aligned=False), encode_text(WORDS, TOKENS)]
    row = pack([*sequences, encode_joint(WORDS[:1], CLIPS[:1], TOKENS)], 20, 5, TOKENS)
    expected = {
        "token_ids": [2, 11, 5, T, T + 7, 3, 2, 11, 12, 13, 3, 2, 11, 5, T, 3, 6, 6, 6, 6],
        "positions": [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 0, 0, 0],
        "segment_types": [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
        "sequence_ids": [1] * 6 + [2] * 5 + [3] * 5 + [0] * 4,
        "cls_positions": [0, 6, 11, 0, 0],
        "sequence_modes": [Mode.JOINT, Mode.TEXT, Mode.JOINT, Mode.NONE, Mode.NONE],
        "alignment_labels": [0, 0, 1, 0, 0],
        "alignment_weights": [1, 0, 1, 0, 0],
    }
    assert row.keys() == expected.keys()
    for name, values in expected.items():
        assert row[name].tolist() == values, name
        assert row[name].dtype == (np.float32 if name == "alignment_weights" else np.int32), name


@given(
    st.lists(st.tuples(st.sampled_from(list(Mode)[1:]), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6)
)
@settings(derandomize=True, deadline=None)
def test_packing_loses_nothing(shapes: list[tuple[Mode, int, int]]) -> None:
    sequences = []
    for mode, words, clips in shapes:
        text, video = np.arange(words) + 8, np.arange(clips)
        joint = encode_joint(text, video, TOKENS)
        sequences.append(
            {Mode.TEXT: encode_text(text, TOKENS), Mode.VIDEO: encode_video(video, TOKENS)}.get(mode, joint)
        )
    row = pack(sequences, 160, 6, TOKENS)
    for number, sequence in enumerate(sequences, start=1):
        inside = row["sequence_ids"] == number
        assert row["token_ids"][inside].tolist() == sequence.ids.tolist()
        assert row["segment_types"][inside].tolist() == sequence.segment_types.tolist()
        assert row["positions"][inside].tolist() == list(range(len(sequence.ids)))
        assert row["cls_positions"][number - 1] == inside.argmax()
        assert row["sequence_modes"][number - 1] == sequence.mode


def test_too_much_for_a_row() -> None:
    sequence = encode_text(WORDS, TOKENS)
    pack([sequence] * 4, 20, 4, TOKENS)
    with pytest.raises(ValueError, match="4 sequences of 20 tokens; a row holds 4 of 19"):
        pack([sequence] * 4, 19, 4, TOKENS)
    with pytest.raises(ValueError, match="4 sequences of 20 tokens; a row holds 3 of 20"):
        pack([sequence] * 4, 20, 3, TOKENS)


def masked_sequences() -> list[TokenSequence]:
    question = np.array([11, TOKENS.mask, 12, TOKENS.mask], np.int32)
    return [encode_joint(question, CLIPS, TOKENS), encode_text(WORDS, TOKENS), encode_text(question[:2], TOKENS)]


def test_one_sequence_per_row_predicts_its_masks() -> None:
    batch = rows_of_sequences(masked_sequences(), 10, 3, TOKENS)
    assert batch["prediction_positions"].tolist() == [[2, 4, 0], [0, 0, 0], [2, 0, 0]]
    assert batch["prediction_weights"].tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]
    assert batch["sequence_ids"].max(axis=1).tolist() == [1, 1, 1]
    assert batch["token_ids"].shape == (3, 10)
    assert batch["cls_positions"].tolist() == [[0], [0], [0]]
    assert batch["prediction_targets"].shape == (3, 3)
    with pytest.raises(ValueError, match="a sequence has 2 masks, expected at most 1"):
        rows_of_sequences(masked_sequences(), 10, 1, TOKENS)
    with pytest.raises(ValueError, match="a row holds 1 of 8"):
        rows_of_sequences(masked_sequences(), 8, 3, TOKENS)


def test_padding_rows() -> None:
    batch = rows_of_sequences(masked_sequences(), 10, 3, TOKENS)
    padded = pad_rows(batch, 5, TOKENS)
    for name, array in padded.items():
        assert array.shape == (5, *batch[name].shape[1:])
        assert array.dtype == batch[name].dtype
        np.testing.assert_array_equal(array[:3], batch[name])
        assert np.all(array[3:] == (TOKENS.pad if name == "token_ids" else 0))
    with pytest.raises(ValueError, match="the batch has 3 rows, expected at most 2"):
        pad_rows(batch, 2, TOKENS)
