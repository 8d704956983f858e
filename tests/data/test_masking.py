import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_records import FIRST_WORD, TOKENS

from videobert_jax.config import PretrainingConfig
from videobert_jax.data.batch import Batch
from videobert_jax.data.masking import Masking
from videobert_jax.data.packing import pack
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text, encode_video
from videobert_jax.tokens import Mode

CONFIG = PretrainingConfig(max_predictions=512)
POSITIONS, SEQUENCES = 512, 16


def sequence(mode: Mode, words: int, clips: int, aligned: bool = True) -> TokenSequence:
    text, video = np.arange(words) + FIRST_WORD, np.arange(clips)
    if mode == Mode.TEXT:
        return encode_text(text, TOKENS)
    return encode_video(video, TOKENS) if mode == Mode.VIDEO else encode_joint(text, video, TOKENS, aligned)


def row_of(*sequences: TokenSequence) -> Batch:
    return pack(sequences, POSITIONS, SEQUENCES, TOKENS)


def masked(row: Batch, config: PretrainingConfig = CONFIG, seed: int = 0) -> Batch:
    return Masking(TOKENS, config)(row, np.random.default_rng(seed))


def used(row: Batch) -> np.ndarray:
    """Returns which of the K predictions are used; id 0 is never a target."""
    return row["prediction_targets"] != 0


shapes = st.tuples(st.sampled_from(list(Mode)[1:]), st.integers(1, 60), st.integers(1, 60), st.booleans())


@given(st.lists(shapes, min_size=1, max_size=4), st.integers(0, 2**31), st.booleans(), st.integers(1, 512))
@settings(derandomize=True, deadline=None)
def test_invariants(
    drawn: list[tuple[Mode, int, int, bool]], seed: int, mask_misaligned: bool, max_predictions: int
) -> None:
    row = row_of(*(sequence(*shape) for shape in drawn))
    config = dataclasses.replace(CONFIG, mask_misaligned=mask_misaligned, max_predictions=max_predictions)
    result = masked(row, config, seed)
    taken = used(result)
    positions, targets = result["prediction_positions"][taken], result["prediction_targets"][taken]

    assert taken.tolist() == sorted(taken, reverse=True)  # unused ones come last
    assert np.all(np.diff(positions) > 0)
    assert np.all(row["token_ids"][positions] == targets)
    assert not np.isin(targets, TOKENS.specials).any()
    assert np.all(result["prediction_weights"][~taken] == 0)
    elsewhere = np.setdiff1d(np.arange(len(row["token_ids"])), positions)
    assert np.all(result["token_ids"][elsewhere] == row["token_ids"][elsewhere])

    shown = result["token_ids"][positions]
    swapped = shown != TOKENS.mask
    assert not np.isin(shown[swapped], TOKENS.specials).any()
    assert np.all((shown[swapped] >= TOKENS.text_size) == (targets[swapped] >= TOKENS.text_size))
    assert np.all(shown < TOKENS.size)

    of_sequence = row["sequence_ids"][positions] - 1
    misaligned = (row["sequence_modes"] == Mode.JOINT) & (row["alignment_labels"] == 0)
    counts = ~misaligned[of_sequence] | mask_misaligned
    assert result["prediction_weights"][taken].tolist() == counts.tolist()

    wanted = 0
    for index, (mode, words, clips, _) in enumerate(drawn):
        for size, visual, absent in ((words, False, Mode.VIDEO), (clips, True, Mode.TEXT)):
            chosen = np.sum((of_sequence == index) & ((targets >= TOKENS.text_size) == visual))
            expected = 0 if mode == absent else max(1, round(0.15 * size))
            wanted += expected
            assert chosen == expected or len(positions) == max_predictions
    assert len(positions) == min(wanted, max_predictions)
    for name in row.keys() - {"token_ids"}:
        assert result[name] is row[name]


def test_too_many_for_a_row_are_spread_over_its_sequences() -> None:
    row = row_of(*[sequence(Mode.TEXT, 40, 0)] * 8)
    result = masked(row, dataclasses.replace(CONFIG, max_predictions=20))
    counts = np.bincount(row["sequence_ids"][result["prediction_positions"]])[1:]
    assert counts.sum() == 20
    assert set(counts) == {2, 3}  # each wants 6


def test_how_masked_tokens_are_shown() -> None:
    """80/10/10 within four standard deviations of a proportion among 40,000; the seed is fixed, so this is no gamble.

    A random token is the original one as often as chance has it, 1 in the number of words or of visual words.
    """
    row = row_of(sequence(Mode.JOINT, 200, 200))
    config = dataclasses.replace(CONFIG, masking=0.5)
    kinds = {False: np.zeros(3, int), True: np.zeros(3, int)}
    rng = np.random.default_rng(0)
    masking = Masking(TOKENS, config)
    for _ in range(400):
        result = masking(row, rng)
        taken = used(result)
        targets = result["prediction_targets"][taken]
        shown = result["token_ids"][result["prediction_positions"][taken]]
        for visual in (False, True):
            inside = (targets >= TOKENS.text_size) == visual
            hidden = np.sum(shown[inside] == TOKENS.mask)
            same = np.sum(shown[inside] == targets[inside])
            kinds[visual] += [hidden, inside.sum() - hidden - same, same]
    for visual, counts in kinds.items():
        total = counts.sum()
        assert total == 400 * 100
        vocabulary = TOKENS.visual_size if visual else TOKENS.text_size - len(TOKENS.specials)
        expected = np.array([0.8, 0.1 * (1 - 1 / vocabulary), 0.1 * (1 + 1 / vocabulary)])
        assert np.all(np.abs(counts / total - expected) < 4 * np.sqrt(expected * (1 - expected) / total)), visual


def test_every_place_and_every_replacement_is_as_likely() -> None:
    """With 3 of 20 words chosen in 4,000 rows, each position is chosen 600 times, within five deviations of 23."""
    masking = Masking(TOKENS, CONFIG)
    rng = np.random.default_rng(0)
    row = row_of(sequence(Mode.JOINT, 20, 20))
    hits = np.zeros(POSITIONS, int)
    replacements = []
    for _ in range(4000):
        result = masking(row, rng)
        hits[result["prediction_positions"][used(result)]] += 1
        replacements.append(result["token_ids"][(result["token_ids"] != row["token_ids"])])
    words, clips = hits[1:21], hits[22:42]
    assert hits.sum() == words.sum() + clips.sum() == 4000 * 6
    assert np.all(np.abs(np.concatenate([words, clips]) - 600) < 5 * 23)
    drawn = np.concatenate(replacements)
    drawn = drawn[drawn != TOKENS.mask]
    assert drawn.min() < FIRST_WORD + TOKENS.text_size // 50  # the whole range of words
    assert drawn[drawn < TOKENS.text_size].max() > TOKENS.text_size * 0.98
    assert drawn[drawn >= TOKENS.text_size].min() < TOKENS.text_size + 20  # and of visual words
    assert drawn.max() > TOKENS.size - 20


def test_joint_sequences_are_left_whole_on_demand() -> None:
    row = row_of(sequence(Mode.JOINT, 20, 20), sequence(Mode.TEXT, 20, 0), sequence(Mode.VIDEO, 0, 20))
    result = masked(row, dataclasses.replace(CONFIG, mask_joint=False))
    assert set(row["sequence_ids"][result["prediction_positions"][used(result)]]) == {2, 3}
    alone = masked(row_of(sequence(Mode.JOINT, 20, 20)), dataclasses.replace(CONFIG, mask_joint=False))
    assert not used(alone).any()


def test_a_share_of_the_joint_sequences_has_all_visual_words_masked() -> None:
    """30 % of 900 joint sequences; six deviations are 0.09. Words and the other modes are masked as usual."""
    row = row_of(*[sequence(Mode.JOINT, 20, 10), sequence(Mode.JOINT, 20, 10, False), sequence(Mode.VIDEO, 0, 20)] * 3)
    config = dataclasses.replace(CONFIG, mask_video=0.3)
    visual = {True: [], False: []}
    for seed in range(150):
        result = masked(row, config, seed)
        of_sequence = row["sequence_ids"][result["prediction_positions"][used(result)]] - 1
        is_visual = result["prediction_targets"][used(result)] >= TOKENS.text_size
        for index in range(9):
            words, clips = (int(np.sum((of_sequence == index) & (is_visual == kind))) for kind in (False, True))
            assert words == (3 if row["sequence_modes"][index] == Mode.JOINT else 0)
            visual[index % 3 == 2].append(clips)
    assert set(visual[True]) == {3}
    assert set(visual[False]) == {2, 10}
    assert abs(np.mean(np.array(visual[False]) == 10) - 0.3) < 0.09


def test_masks_do_not_tell_whether_a_sequence_is_aligned() -> None:
    """The same random numbers mask the same tokens for either label."""
    aligned, misaligned = (masked(row_of(sequence(Mode.JOINT, 30, 30, label))) for label in (True, False))
    assert aligned["token_ids"].tolist() == misaligned["token_ids"].tolist()
    assert aligned["prediction_weights"].sum() == 8
    assert misaligned["prediction_weights"].sum() == 0


@pytest.mark.parametrize("special", TOKENS.specials)
def test_unknown_words_are_not_predicted(special: int) -> None:
    text = encode_text(np.array([special, 20, special]), TOKENS)
    for seed in range(20):
        result = masked(row_of(text), seed=seed)
        assert result["prediction_targets"][used(result)].tolist() == [20]


def test_a_vocabulary_without_words_masks_video() -> None:
    """A corpus without speech and captions."""
    specials = (TOKENS.pad, TOKENS.unknown, TOKENS.cls, TOKENS.sep, TOKENS.mask, TOKENS.joiner)
    others = tuple(set(range(max(specials))) - set(specials))
    silent = dataclasses.replace(TOKENS, text_size=max(specials) + 1, unused=others)
    row = pack([encode_video(np.arange(60), silent)], POSITIONS, SEQUENCES, silent)
    swapped = 0
    for seed in range(20):
        result = Masking(silent, CONFIG)(row, np.random.default_rng(seed))
        assert used(result).sum() == 9
        changed = result["token_ids"][result["token_ids"] != row["token_ids"]]
        swapped += (changed >= silent.text_size).sum()
        assert np.isin(changed[changed < silent.text_size], silent.mask).all()
    assert swapped > 0  # by another visual word


def test_in_a_share_of_joint_sequences_all_words_are_masked_and_none_is_kept() -> None:
    row = row_of(*(sequence(Mode.JOINT, 20, 20) for _ in range(8)), sequence(Mode.TEXT, 20, 0))
    result = masked(row, dataclasses.replace(CONFIG, mask_text=0.5), seed=1)
    words = [
        (row["sequence_ids"] == number) & (row["token_ids"] >= FIRST_WORD) & (row["token_ids"] < TOKENS.text_size)
        for number in range(1, 10)
    ]
    hidden = [(result["token_ids"][place] == TOKENS.mask).mean() for place in words]
    assert {share for share in hidden[:8] if share > 0.5} == {1.0}
    assert 1 < sum(share == 1 for share in hidden[:8]) < 8
    assert hidden[8] < 0.5
    for number, share in enumerate(hidden[:8], 1):
        clips = (row["sequence_ids"] == number) & (row["token_ids"] >= TOKENS.text_size)
        assert np.array_equal(result["token_ids"][clips], row["token_ids"][clips]) == (share == 1)
    every = masked(row, dataclasses.replace(CONFIG, mask_text=1.0, mask_video=1.0))
    assert np.all(np.isin(np.flatnonzero(row["token_ids"] >= TOKENS.text_size), every["prediction_positions"]))
    assert (every["token_ids"][words[0]] != TOKENS.mask).any(), "a sequence without clips keeps its words"


def test_words_are_masked_whole() -> None:
    tokens = dataclasses.replace(TOKENS, continuing=tuple(range(FIRST_WORD + 1, FIRST_WORD + 60, 3)))
    row = row_of(sequence(Mode.TEXT, 60, 0), sequence(Mode.JOINT, 60, 5))
    whole = Masking(tokens, dataclasses.replace(CONFIG, whole_words=True))
    for seed in range(5):
        chosen = set(whole(row, np.random.default_rng(seed))["prediction_positions"].tolist())
        pieces = np.flatnonzero(np.isin(row["token_ids"], tokens.continuing)).tolist()
        assert all((place in chosen) == (place - 1 in chosen) for place in pieces)
        assert 15 <= len(chosen) <= 30


def test_spans_are_adjacent() -> None:
    row = row_of(*(sequence(Mode.TEXT, 60, 0) for _ in range(8)))
    apart, together = (masked(row, dataclasses.replace(CONFIG, span=span)) for span in (1.0, 4.0))
    runs = [np.sum(np.diff(one["prediction_positions"][used(one)]) > 1) for one in (apart, together)]
    assert runs[1] < 0.6 * runs[0]
    assert used(together).sum() == pytest.approx(used(apart).sum(), rel=0.3)


def test_words_of_a_hidden_text_that_there_is_no_room_to_predict_are_hidden_too() -> None:
    row = row_of(sequence(Mode.JOINT, 20, 20), sequence(Mode.JOINT, 20, 20))
    result = masked(row, dataclasses.replace(CONFIG, mask_text=1.0, max_predictions=8))
    assert used(result).sum() == 8
    assert not np.any((result["token_ids"] >= FIRST_WORD) & (result["token_ids"] < TOKENS.text_size))
