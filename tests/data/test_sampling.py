import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_records import FIRST_WORD, TOKENS, corpus, record, video_of

from videobert_jax.config import PretrainingConfig
from videobert_jax.data.records import Record
from videobert_jax.data.sampling import SHORTEST, SHORTEST_JOINT, Chunk, Sampler
from videobert_jax.data.sequences import TokenSequence
from videobert_jax.tokens import Mode

CONFIG = PretrainingConfig()
ALIGNED = dataclasses.replace(CONFIG, text_only=0.0, video_only=0.0, misaligned=0.0)


def draw(
    records: Sequence[Record],
    config: PretrainingConfig = CONFIG,
    seed: int = 0,
    sequence_length: int = 4096,
    max_sequences: int = 4096,
) -> list[TokenSequence]:
    """By default with long rows of many sequences, so that neither truncation nor shares affect the samples."""
    return Sampler(TOKENS, config, sequence_length, max_sequences)(records, np.random.default_rng(seed))


def words_of(sequence: TokenSequence) -> np.ndarray:
    return sequence.ids[(sequence.ids >= FIRST_WORD) & (sequence.ids < TOKENS.text_size)]


def clips_of(sequence: TokenSequence) -> np.ndarray:
    return sequence.ids[sequence.ids >= TOKENS.text_size] - TOKENS.text_size


def sentences_of(words: np.ndarray, source: Record) -> tuple[int, int]:
    """Returns the sentences ``[first, stop)`` of the words; fails unless they are whole sentences in order."""
    first, stop = (int(np.searchsorted(source.token_ids, word, side="left")) for word in (words[0], words[-1] + 1))
    assert words.tolist() == source.token_ids[first:stop].tolist()
    offsets = source.sentence_offsets.tolist()
    return offsets.index(first), offsets.index(stop)


def test_the_mix_of_modes_is_kept() -> None:
    """Over 4,000 sequences, four standard deviations of a share are at most 0.032."""
    config = dataclasses.replace(CONFIG, text_only=1.0, video_only=2.0, joint=5.0, misaligned=0.25)
    drawn = [sequence for seed in range(40) for sequence in draw(corpus()[:6], config, seed)[:100]]
    shares = Counter(sequence.mode for sequence in drawn)
    for mode, share in ((Mode.TEXT, 1 / 8), (Mode.VIDEO, 2 / 8), (Mode.JOINT, 5 / 8)):
        assert abs(shares[mode] / len(drawn) - share) < 0.032
    joint = [sequence for sequence in drawn if sequence.mode == Mode.JOINT]
    assert abs(np.mean([not sequence.aligned for sequence in joint]) - 0.25) < 0.04
    assert all(sequence.aligned for sequence in drawn if sequence.mode != Mode.JOINT)


def test_modes_without_weight_are_not_drawn() -> None:
    for mode, name in ((Mode.TEXT, "text_only"), (Mode.VIDEO, "video_only"), (Mode.JOINT, "joint")):
        weights = {"text_only": 0.0, "video_only": 0.0, "joint": 0.0, name: 1.0}
        config = dataclasses.replace(CONFIG, **weights)
        for seed in range(20):
            assert {sequence.mode for sequence in draw(corpus()[:4], config, seed, 100)} == {mode}


def test_chunks_that_lack_something_serve_the_other_modes() -> None:
    silent, unseen, whole = record(0, sentences=0), record(1, clips=0), record(2)
    for sequence in draw([silent, unseen, whole]):
        videos = {video_of(token) for token in (*words_of(sequence), *sequence.ids[sequence.ids >= TOKENS.text_size])}
        assert videos <= {Mode.TEXT: {1, 2}, Mode.VIDEO: {0, 2}, Mode.JOINT: {2}}[sequence.mode]
    assert {sequence.mode for sequence in draw([silent])} == {Mode.VIDEO}
    assert {sequence.mode for sequence in draw([unseen])} == {Mode.TEXT}
    assert {sequence.mode for sequence in draw([silent, unseen], ALIGNED)} == {Mode.TEXT, Mode.VIDEO}


def test_aligned_words_and_clips_share_their_time() -> None:
    """Includes concatenated windows, which must be labelled as aligned too."""
    source = record(3, chunk=1)
    first_clips, stop_clips = source.clips_within(source.sentence_starts, source.sentence_ends)
    config = dataclasses.replace(ALIGNED, max_subsampling=1)
    lengths = Counter()
    for sequence in draw([source], config)[:-1]:
        first, stop = sentences_of(words_of(sequence), source)
        lengths[stop - first] += 1
        assert sequence.aligned
        clips = clips_of(sequence) - source.visual_ids[0]
        if first_clips[first] < stop_clips[stop - 1]:
            assert clips.tolist() == list(range(first_clips[first], stop_clips[stop - 1]))
        else:  # the sentence fell between two centres
            assert clips.tolist() == [min(first_clips[first], len(source.visual_ids) - 1)]
    assert lengths[1] > 0 < lengths[2]
    assert lengths[3] > 0


def test_subsampling_leaves_clips_to_learn_from() -> None:
    """In windows with more clips, the rate is sampled up to the largest that leaves `min_clips`."""
    source = record(3, clips=40, sentences=4)
    config = dataclasses.replace(ALIGNED, max_subsampling=5, min_clips=4)
    first_clips, stop_clips = source.clips_within(source.sentence_starts, source.sentence_ends)
    rates: dict[int, set[int]] = {}
    for seed in range(20):
        for sequence in draw([source], config, seed)[:-1]:
            first, stop = sentences_of(words_of(sequence), source)
            available, clips = int(stop_clips[stop - 1] - first_clips[first]), clips_of(sequence)
            assert len(clips) >= min(4, available)
            if len(clips) > 1:
                rates.setdefault(available, set()).add(int(clips[1] - clips[0]))
    assert max(rates) >= 20
    for available, found in rates.items():
        assert found == set(range(1, max(1, min(5, available // 4)) + 1)), available


def test_neighbours_are_concatenated_by_coin() -> None:
    """1/2, 1/4, 1/8 ... of about 3,000 windows have 1, 2, 3 ... of 40 sentences; four deviations are 0.037."""
    source = record(0, sentences=40, words=(3, 4), clips=5)
    config = dataclasses.replace(CONFIG, joint=0.0, video_only=0.0)
    drawn = [sequence for seed in range(12) for sequence in draw([source], config, seed)[:-1]]
    lengths = Counter(np.subtract(*sentences_of(words_of(sequence), source)[::-1]) for sequence in drawn)
    for length in (1, 2, 3, 4):
        assert abs(lengths[length] / len(drawn) - 0.5**length) < 0.037
    for share, expected in ((0.0, {1}), (1.0, {40})):
        config = dataclasses.replace(config, concatenate=share)
        words = words_of(draw([source], config, sequence_length=122)[0])
        assert {sentences_of(words, source)[1] - sentences_of(words, source)[0]} == expected


def test_misaligned_words_come_from_another_video() -> None:
    config = dataclasses.replace(ALIGNED, misaligned=1.0)
    drawn = draw(corpus()[:9], config)  # three chunks of three videos
    for sequence in drawn:
        assert not sequence.aligned
        word_videos = {video_of(token) for token in words_of(sequence)}
        clip_videos = {video_of(token) for token in sequence.ids[sequence.ids >= TOKENS.text_size]}
        assert len(word_videos) == len(clip_videos) == 1
        assert word_videos != clip_videos
    alone = draw(corpus()[:3], config)
    assert all(sequence.aligned for sequence in alone)
    assert {video_of(token) for sequence in alone for token in words_of(sequence)} == {0}


def test_misaligned_words_come_from_elsewhere_in_the_same_video() -> None:
    """The words come from other clips, even if several sentences share one."""
    config = dataclasses.replace(ALIGNED, misaligned=1.0, misaligned_from="same_video", max_subsampling=1)
    labels = Counter()
    for video in range(6):
        source = record(video, sentences=12, clips=10)
        first_clips, stop_clips = source.clips_within(source.sentence_starts, source.sentence_ends)
        for sequence in draw([source], config)[:-1]:
            labels[sequence.aligned] += 1
            first, stop = sentences_of(words_of(sequence), source)
            clips = clips_of(sequence) - source.visual_ids[0]
            if not sequence.aligned:
                assert clips[-1] < first_clips[first] or clips[0] >= stop_clips[stop - 1]
    assert labels[False] > 500
    assert labels[True] > 0  # windows of nearly the whole chunk leave no room for another


def test_neighbouring_sentences_are_not_taken_for_misaligned() -> None:
    """With three clips per sentence, the clips identify the sentences: at least one lies between."""
    bounds = 4.5 * np.arange(13, dtype=np.float32)
    source = dataclasses.replace(
        record(0, clips=36, sentences=12), sentence_starts=bounds[:-1], sentence_ends=bounds[1:]
    )
    config = dataclasses.replace(ALIGNED, misaligned=1.0, misaligned_from="same_video", max_subsampling=1)
    gaps = Counter()
    for sequence in draw([source], config)[:-1]:
        first, stop = sentences_of(words_of(sequence), source)
        shown_first, shown_stop = clips_of(sequence)[0] // 3, clips_of(sequence)[-1] // 3 + 1
        if not sequence.aligned:
            gaps[max(shown_first - stop, first - shown_stop)] += 1
    assert min(gaps) == 1
    assert gaps[1] > 20 < gaps[5]


def test_sentences_that_overlap_the_window_are_not_apart_from_it() -> None:
    """One clip for each of eight sentences, but the second lasts until the sixth."""
    starts = 1.5 * np.arange(8, dtype=np.float32)
    ends = starts + 1.5
    source = dataclasses.replace(record(0, clips=8, sentences=8), sentence_starts=starts, sentence_ends=ends)
    assert Chunk(source).apart_from((4, 5)) == [(0, 3), (6, 8)]
    assert Chunk(source).apart_from((1, 7)) == []
    ends[1] = ends[5]
    assert Chunk(source).apart_from((4, 5)) == [(0, 1), (6, 8)]
    assert Chunk(source).apart_from((1, 2)) == [(6, 8)]


def test_sides_of_misaligned_sequences_are_distributed_as_those_of_aligned_ones() -> None:
    """Mean sizes of 4,000 each, within four standard deviations (below 10 tokens, and 3 clips)."""
    sizes = {}
    for label, share in ((True, 0.0), (False, 1.0)):
        config = dataclasses.replace(ALIGNED, misaligned=share)
        drawn = [sequence for seed in range(40) for sequence in draw(corpus()[:9], config, seed)[:100]]
        assert {sequence.aligned for sequence in drawn} == {label}
        sizes[label] = np.mean([(len(words_of(sequence)), len(clips_of(sequence))) for sequence in drawn], axis=0)
    assert np.all(np.abs(sizes[True] - sizes[False]) < 4 * np.array([10, 3]) * np.sqrt(2 / 4000))


def test_clips_are_subsampled_at_every_rate_and_phase() -> None:
    source = record(0, clips=60, sentences=1)
    joint = [clips_of(sequence) for sequence in draw([source], ALIGNED)[:-1]]
    rates = {int(np.diff(clips)[0]) for clips in joint}
    assert rates == {1, 2, 3, 4, 5}
    assert all(len(set(np.diff(clips))) == 1 for clips in joint)
    assert {(int(np.diff(clips)[0]), int(clips[0])) for clips in joint} == {
        (rate, phase) for rate in range(1, 6) for phase in range(rate)
    }


def test_video_only_sequences_have_the_set_number_of_neighbouring_clips() -> None:
    source = record(0, clips=90, sentences=0)
    drawn = [clips_of(sequence) for sequence in draw([source])[:-1]]
    assert {len(clips) for clips in drawn} == {16}
    assert {int(np.diff(clips)[0]) for clips in drawn} == {1, 2, 3, 4, 5}
    assert all(len(set(np.diff(clips))) == 1 for clips in drawn)
    assert min(clips[0] for clips in drawn) < 5
    assert max(clips[-1] for clips in drawn) > 85
    few = draw([record(0, clips=3, sentences=0)])
    assert {tuple(clips_of(sequence).tolist()) for sequence in few} >= {(0, 1, 2)}


def test_a_sentence_longer_than_the_row_is_cut() -> None:
    source = record(0, sentences=1, words=(200, 201), clips=100)
    config = dataclasses.replace(ALIGNED, max_subsampling=1)
    (joint,) = draw([source], config, sequence_length=64)
    assert len(joint.ids) == 64
    assert len(words_of(joint)) == 31
    assert len(clips_of(joint)) == 30
    (text,) = draw([source], dataclasses.replace(config, joint=0.0, text_only=1.0), sequence_length=64)
    assert words_of(text).tolist() == source.token_ids[:62].tolist()


def test_windows_grow_to_their_share_of_the_row() -> None:
    """Otherwise two sequences of one short sentence would leave most of the row empty."""
    config = dataclasses.replace(CONFIG, concatenate=0.0, video_only=0.0)
    for seed in range(50):
        sequences = draw(corpus()[:4], config, seed, 64, 2)
        assert len(sequences) <= 2
        assert sum(len(sequence.ids) for sequence in sequences) > 64 - SHORTEST

    video = dataclasses.replace(config, text_only=0.0, joint=0.0, video_only=1.0)
    for seed in range(50):
        assert sum(len(sequence.ids) for sequence in draw([record(0, clips=90)], video, seed, 64, 2)) > 64 - SHORTEST


def test_joint_sequences_are_not_cut_to_nothing() -> None:
    """A small remainder at the end of a row is filled with words or clips only."""
    records = [record(video, words=(14, 15)) for video in range(4)]
    rows = [draw(records, CONFIG, seed, 100) for seed in range(100)]
    assert min(len(sequence.ids) for row in rows for sequence in row if sequence.mode == Mode.JOINT) >= SHORTEST_JOINT
    assert any(SHORTEST <= len(row[-1].ids) < SHORTEST_JOINT for row in rows)


@given(
    st.lists(
        st.builds(
            record,
            video=st.integers(0, 11),
            clips=st.integers(0, 30),
            sentences=st.integers(0, 10),
            words=st.sampled_from([(1, 2), (2, 30)]),
        ).filter(lambda source: len(source.visual_ids) + len(source.token_ids) > 0),
        min_size=1,
        max_size=4,
    ),
    st.builds(
        PretrainingConfig,
        max_subsampling=st.integers(1, 5),
        video_only_tokens=st.integers(1, 40),
        concatenate=st.sampled_from([0.0, 0.5, 1.0]),
        misaligned_from=st.sampled_from(["other_video", "same_video"]),
        text_only=st.sampled_from([0.0, 1.0]),
        video_only=st.sampled_from([0.0, 1.0]),
    ),
    st.integers(0, 2**31),
    st.integers(16, 200),
    st.integers(1, 16),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_rows_of_any_records(
    records: list[Record], config: PretrainingConfig, seed: int, sequence_length: int, max_sequences: int
) -> None:
    sequences = draw(records, config, seed, sequence_length, max_sequences)
    assert 1 <= len(sequences) <= max_sequences
    assert sum(len(sequence.ids) for sequence in sequences) <= sequence_length
    for sequence in sequences:
        words, clips = words_of(sequence), clips_of(sequence)
        assert (len(words) > 0) == (sequence.mode != Mode.VIDEO)
        assert (len(clips) > 0) == (sequence.mode != Mode.TEXT)
        assert np.all(np.diff(words) == 1)
        assert len(set(np.diff(clips))) <= 1
        if sequence.mode == Mode.JOINT and sequence.aligned:
            assert video_of(words[0]) == video_of(sequence.ids[-2])


@pytest.mark.parametrize("seed", range(3))
def test_the_generator_decides(seed: int) -> None:
    once, again, other = (draw(corpus()[:4], seed=number) for number in (seed, seed, seed + 1))
    assert [sequence.ids.tolist() for sequence in once] == [sequence.ids.tolist() for sequence in again]
    assert [sequence.ids.tolist() for sequence in once] != [sequence.ids.tolist() for sequence in other]
