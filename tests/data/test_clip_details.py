"""What records keep of clips besides their visual words: stored, packed, hidden where a clip is masked."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import synthetic_records as synthetic
from synthetic_records import TOKENS
from written_records import write_records

from videobert_jax.config import DataConfig, PretrainingConfig
from videobert_jax.data import records
from videobert_jax.data.batch import CLIPS
from videobert_jax.data.packing import pack, pad_rows, rows_of_sequences
from videobert_jax.data.prepared import Lexicon
from videobert_jax.data.records import ClipDetails, Record, RecordSource
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.data.segments import beside, find_segments
from videobert_jax.data.sequences import encode_joint, encode_text

P, C = 5, 2
DETAILED = dataclasses.replace(TOKENS, feature_size=P, codebooks=C, codebook_size=9)


def details_of(visual_ids: np.ndarray) -> ClipDetails:
    """A clip's numbers and codes tell its visual word."""
    features = np.repeat(visual_ids[:, None] % 1000 + 1, P, axis=1).astype(np.float16)
    return ClipDetails(features, np.stack([visual_ids % 9, visual_ids % 7], axis=1).astype(np.int32))


def detailed(video: int, step: float = 0.0, **settings: int) -> Record:
    record = synthetic.record(video, **settings)
    return dataclasses.replace(record, details=details_of(record.visual_ids), clip_step=step)


def rows(config: PretrainingConfig, **changes: object) -> PretrainingRows:
    data = DataConfig(batch_size=2, sequence_length=128, max_sequences=8)
    return PretrainingRows(DETAILED, config, data, **changes)


def test_details_and_steps_survive(tmp_path: pathlib.Path) -> None:
    expected = [detailed(0, 0.5), detailed(1), synthetic.record(2)]
    write_records(tmp_path, "train", expected)
    for record, as_written in zip(RecordSource(tmp_path, "train"), expected, strict=True):
        assert record.clip_step == as_written.clip_step
        for one, other in zip(record.clip_details, as_written.clip_details, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_records_of_the_first_version_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    record = synthetic.record(0)
    older = {name: kind for name, kind in records._FIELDS.items() if name not in records._ADDED}
    monkeypatch.setattr(records, "_FIELDS", older)
    monkeypatch.setattr(records, "SCHEMA_VERSION", 1)
    data = records.encode(record)
    monkeypatch.undo()
    read = records.decode(data)
    np.testing.assert_array_equal(read.visual_ids, record.visual_ids)
    assert (read.details, read.step) == (None, record.clip_seconds)


def test_details_stay_with_their_clips() -> None:
    config = PretrainingConfig(max_subsampling=3, masking=0.0, mask_video=0.0)
    row = rows(config)([detailed(0), detailed(1)], np.random.default_rng(0))
    seen = row["clip_seen"] > 0
    assert seen.sum() > 10
    expected = details_of(row["token_ids"][seen] - DETAILED.text_size)
    np.testing.assert_array_equal(row["clip_features"][seen], expected.features)
    np.testing.assert_array_equal(row["clip_codes"][seen], expected.codes)


def test_details_of_another_number_of_clips_are_refused() -> None:
    record = detailed(0)
    short = dataclasses.replace(record, details=details_of(record.visual_ids[1:]))
    with pytest.raises(ValueError, match="details are not of as many clips as visual_ids"):
        records.encode(short)


def test_clips_that_overlap_are_found_by_their_centres() -> None:
    record = dataclasses.replace(detailed(0, 0.5), start_clip=4)  # clips of 1.5 s, every half second
    firsts, stops = record.clips_within(np.array([2.75, 3.8]), np.array([3.8, 3.9]))
    assert (firsts.tolist(), stops.tolist()) == ([0, 3], [3, 3])
    assert [record.overlapping(rate) for rate in (1, 2, 3, 4)] == [2, 1, 0, 0]
    assert synthetic.record(0).overlapping() == 0


def test_a_row_has_the_details_of_its_clips_alone() -> None:
    clips = np.array([7, 30, 2], np.int32)
    joint = encode_joint(np.array([9, 10]), clips, DETAILED)._replace(clips=details_of(clips))
    row = pack([encode_text(np.array([8]), DETAILED), joint, joint._replace(clips=None)], 24, 4, DETAILED)
    places = [3 + 4, 3 + 5, 3 + 6]
    assert np.flatnonzero(row["clip_seen"]).tolist() == places
    np.testing.assert_array_equal(row["clip_features"][places], details_of(clips).features)
    np.testing.assert_array_equal(row["clip_codes"][places], details_of(clips).codes)
    assert not row["clip_features"][row["clip_seen"] == 0].any()
    assert not set(CLIPS) & pack([joint], 24, 4, TOKENS).keys()


def test_of_a_clip_that_is_asked_for_nothing_is_seen() -> None:
    clips = np.array([7, 30, 2], np.int32)
    joint = encode_joint(np.array([9, 10]), clips, DETAILED)._replace(clips=details_of(clips))
    joint.ids[5] = DETAILED.mask
    batch = pad_rows(rows_of_sequences([joint], 16, 1, DETAILED), 2, DETAILED)
    assert np.argwhere(batch["clip_seen"]).tolist() == [[0, 4], [0, 6]]
    assert not batch["clip_features"][0, 5].any()


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_details_of_masked_clips_change_nothing(step: float) -> None:
    """With overlap, nor do those of clips that share a frame with a clip to predict."""
    config = PretrainingConfig(max_predictions=200, text_only=0.0, max_subsampling=2, video_only_tokens=30)
    chunks = [detailed(video, step) for video in range(4)]
    row = rows(config)(chunks, np.random.default_rng(0))
    predicted = row["prediction_positions"][row["prediction_targets"] >= TOKENS.text_size]
    clips = {row["prediction_targets"][i] - TOKENS.text_size for i in range(len(row["prediction_targets"]))}
    reach = {1: 2, 2: 1}[2] if step else 0
    assert len(predicted) > 5
    assert not row["clip_seen"][predicted].any()
    shown = row["token_ids"][row["clip_seen"] > 0] - TOKENS.text_size
    np.testing.assert_array_equal(row["clip_features"][row["clip_seen"] > 0], details_of(shown).features)
    for place in predicted:
        for neighbour in range(place - reach, place + reach + 1):
            if row["sequence_ids"][neighbour] == row["sequence_ids"][place]:
                assert not row["clip_seen"][neighbour]

    def disturbed(record: Record) -> Record:
        assert record.details is not None
        hit = np.isin(record.visual_ids, list(clips)) & ~np.isin(record.visual_ids, shown)
        features = np.where(hit[:, None], np.float16(-99), record.details.features)
        return dataclasses.replace(record, details=record.details._replace(features=features))

    again = rows(config)([disturbed(chunk) for chunk in chunks], np.random.default_rng(0))
    for name, array in row.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)


def test_overlapping_clips_are_masked_but_not_predicted() -> None:
    config = PretrainingConfig(max_predictions=200, text_only=0.0, joint=0.0, max_subsampling=1, video_only_tokens=20)
    row = rows(config)([detailed(0, 0.5)], np.random.default_rng(0))
    masks = np.flatnonzero(row["token_ids"] == TOKENS.mask)
    predicted = row["prediction_positions"][row["prediction_weights"] > 0]
    extra = np.setdiff1d(masks, predicted)
    assert len(extra)
    assert all(np.abs(predicted - place).min() <= 2 for place in extra)
    share = len(predicted) / (row["sequence_ids"] > 0).sum()
    assert share < 0.08  # 15 % with their neighbours


def test_other_clips_replace_what_is_seen_and_nothing_else() -> None:
    config = PretrainingConfig(max_predictions=200, text_only=0.0, video_only=0.0, misaligned=0.0)
    chunks = [detailed(video) for video in range(4)]
    own, other = (rows(config, contrast=o)(chunks, np.random.default_rng(3)) for o in ("own", "other"))
    joint = np.isin(own["sequence_ids"], 1 + np.flatnonzero(own["sequence_modes"] == 3))
    clips = joint & (own["token_ids"] >= TOKENS.text_size)
    assert clips.sum() > 10
    for name in own.keys() - {"token_ids", "clip_features", "clip_codes"}:
        np.testing.assert_array_equal(own[name], other[name], err_msg=name)
    np.testing.assert_array_equal(own["token_ids"][~clips], other["token_ids"][~clips])
    videos = [[synthetic.video_of(token) for token in row["token_ids"][clips]] for row in (own, other)]
    assert all(one != another for one, another in zip(*videos, strict=True))
    seen = clips & (other["clip_seen"] > 0)
    shown = details_of(other["token_ids"][seen] - TOKENS.text_size)
    np.testing.assert_array_equal(other["clip_features"][seen], shown.features)
    np.testing.assert_array_equal(other["clip_codes"][seen], shown.codes)


def test_a_segment_keeps_the_details_of_the_clips_that_are_shown() -> None:
    segment = find_segments([detailed(1)])[0]
    sequence = beside(np.array([9]), segment, 4, DETAILED)
    assert sequence.clips is not None
    shown = sequence.ids[sequence.text_length : -1] - TOKENS.text_size
    assert len(shown) == 4
    np.testing.assert_array_equal(sequence.clips.features, details_of(shown).features)


def test_a_sequence_without_another_video_does_not_count() -> None:
    config = PretrainingConfig(max_predictions=200, text_only=0.0, video_only=0.0, misaligned=0.0)
    for contrast in ("own", "other"):
        row = rows(config, contrast=contrast)([detailed(0)], np.random.default_rng(0))
        assert not row["prediction_weights"].any()
    assert rows(config)([detailed(0)], np.random.default_rng(0))["prediction_weights"].any()


def test_no_clip_shows_frames_of_a_clip_to_predict() -> None:
    """Not even one that is chosen itself and would be kept, in spans."""
    config = PretrainingConfig(max_predictions=200, text_only=0.0, joint=0.0, max_subsampling=1, span=4.0)
    for seed in range(20):
        row = rows(config)([detailed(0, 0.5)], np.random.default_rng(seed))
        for place in row["prediction_positions"][row["prediction_targets"] > 0]:
            near = slice(max(place - 2, 0), place + 3)
            own = row["sequence_ids"][near] == row["sequence_ids"][place]
            assert np.all(row["token_ids"][near][own] < TOKENS.text_size)


def test_sentences_and_segments_of_overlapping_clips_agree() -> None:
    record = dataclasses.replace(detailed(0, 0.5), start_clip=0)
    ends = np.linspace(0.8, 10, len(record.sentence_starts)).astype(np.float32)
    record = dataclasses.replace(
        record, sentence_starts=ends - 0.4, sentence_ends=ends, caption_starts=ends[:1], caption_ends=ends[4:5]
    )
    centres = np.arange(20) * 0.5 + 0.75
    inside = (centres >= ends[0]) & (centres < ends[4])
    (segment,) = find_segments([record])
    np.testing.assert_array_equal(segment.visual_ids, record.visual_ids[inside])
    middles = ends - 0.2
    near = np.abs(centres[:, None] - middles).argmin(axis=0)
    expected = [record.token_ids[slice(*record.sentence_offsets[i : i + 2])] for i in np.flatnonzero(inside[near])]
    assert list(segment.spoken) == np.concatenate(expected).tolist()


def test_a_list_of_tokens_from_before_says_the_same(tmp_path: pathlib.Path) -> None:
    """Runs of earlier versions go on with data that were prepared again."""
    ours, theirs = Lexicon(tmp_path / "ours"), Lexicon(tmp_path / "theirs")
    for lexicon, tokens in ((ours, TOKENS), (theirs, dataclasses.replace(TOKENS, continuing=(9,)))):
        lexicon.folder.mkdir()
        tokens.save(lexicon.tokens_file)
    older = json.loads(ours.tokens_file.read_text())
    for name in ("continuing", "feature_size", "codebooks", "codebook_size"):
        del older[name]
    ours.tokens_file.write_text(json.dumps(older))
    assert ours.matches(ours.tokens_file, theirs.tokens_file)
    DETAILED.save(theirs.tokens_file)
    assert not ours.matches(ours.tokens_file, theirs.tokens_file)
