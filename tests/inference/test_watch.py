"""A watched video is what `prepare` makes of it; what cannot be watched is refused with advice."""

import dataclasses
import os
import pathlib
import re
from typing import Any

import jax
import numpy as np
import pytest
import tiny_corpus

from videobert_jax.config import PrepareConfig
from videobert_jax.data.prepared import TRAIN, VALIDATION, Prepared
from videobert_jax.data.records import Record
from videobert_jax.data.segments import Segment, sentence_segments
from videobert_jax.errors import ConfigError, TranscriptError, UserError, VideoError
from videobert_jax.inference.watch import watch, watch_whole
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.tokenizer import TextTokenizer, load
from videobert_jax.visual_words.details import Details
from videobert_jax.visual_words.vocabulary import Vocabulary

RAMBLING = [(0.3, 5.5, "so we cut the apple and then we stir it well and then we eat it all")]
PER_SECOND = {"backbone": "precomputed", "fps": 1.0, "clip_frames": 2}
DETAILED = {"clip_step": 1, "feature_size": 5, "codebooks": 2, "codebook_size": 3}


@dataclasses.dataclass(frozen=True)
class Known:
    """A corpus, what `prepare` made of it, and what a model trained on it knows.

    Attributes:
      videos: a file for each id.
      records: of each video, in the order of time.
    """

    videos: dict[str, pathlib.Path]
    records: dict[str, list[Record]]
    config: PrepareConfig
    vocabulary: Vocabulary
    words: TextTokenizer
    details: Details | None

    def watch(self, video: pathlib.Path, transcript: pathlib.Path | None = None, **changes: Any) -> list[Segment]:
        config = dataclasses.replace(self.config, **changes)
        return watch(video, transcript, config, self.vocabulary, self.words, self.details)


def known(folder: pathlib.Path, cache: pathlib.Path, suffix: str, **settings: object) -> Known:
    config = tiny_corpus.config(folder, cache, max_sentence_words=6, **settings)
    prepared = Prepared(prepare(config, tiny_corpus.here).folder)
    records: dict[str, list[Record]] = {path.stem: [] for path in sorted(folder.glob(f"*{suffix}"))}
    for split in (TRAIN, VALIDATION):
        for record in prepared.source(split):
            records[record.video_id].append(record)
    assert all(records.values())
    assert max(map(len, records.values())) > 1
    return Known(
        {video_id: folder / f"{video_id}{suffix}" for video_id in records},
        records,
        config.prepare,
        Vocabulary.load(prepared.tree),
        load(prepared.tokenizer),
        Details.load(prepared.details) if config.prepare.feature_size else None,
    )


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Videos with a transcript, with one that names its language and has no full stops, and without."""
    folder = tmp_path_factory.mktemp("filmed")
    tiny_corpus.write_corpus(folder, videos=3)
    for seed, name in enumerate(("rambling", "silent"), 3):
        tiny_corpus.write_video(folder / f"{name}.mp4", seconds=5.5, seed=seed)
    tiny_corpus.write_vtt(folder / "rambling.en.vtt", RAMBLING)
    return known(folder, tmp_path_factory.mktemp("cache"), ".mp4")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Features of somebody else's, eight values a second, with transcripts; clips overlap, and more of them is kept."""
    folder = tmp_path_factory.mktemp("measured")
    for seed in range(3):
        np.save(folder / f"video{seed}.npy", np.random.default_rng(seed).normal(0, 5, (13, 8)).astype(np.float32))
        tiny_corpus.write_vtt(folder / f"video{seed}.vtt", [(0.2, 5.8, "Now we cut it."), (7.0, 11.6, "We stir it.")])
    return known(folder, tmp_path_factory.mktemp("cache"), ".npy", **PER_SECOND, **DETAILED)


def same(one: Segment, other: Segment) -> bool:
    names = ("video_id", "caption", "start_clip", "spoken")
    ids = np.array_equal(one.visual_ids, other.visual_ids) and one.visual_ids.dtype == other.visual_ids.dtype
    return ids and all(getattr(one, name) == getattr(other, name) for name in names)


@pytest.mark.parametrize("corpus", ["filmed", "measured"])
def test_a_watched_video_is_what_prepare_makes_of_it(corpus: str, request: pytest.FixtureRequest) -> None:
    given: Known = request.getfixturevalue(corpus)
    assert len({word for records in given.records.values() for r in records for word in r.visual_ids.tolist()}) > 1
    for video_id, records in given.records.items():
        (segment,) = given.watch(given.videos[video_id])
        assert (segment.video_id, segment.caption, segment.start_clip) == (video_id, "", 0)
        assert segment.visual_ids.dtype == records[0].visual_ids.dtype == np.int32
        np.testing.assert_array_equal(segment.visual_ids, np.concatenate([record.visual_ids for record in records]))
        assert list(segment.spoken) == np.concatenate([record.token_ids for record in records]).tolist()
        assert (not segment.spoken) == (video_id == "silent")
        if corpus == "measured":
            assert len(segment.visual_ids) == 12  # of 13 seconds
            assert segment.details is not None
            for mine, theirs in zip(segment.details, zip(*(r.clip_details for r in records), strict=True), strict=True):
                np.testing.assert_array_equal(mine, np.concatenate(theirs))
            assert [part.shape[1] for part in segment.details] == [5, 2]


def test_the_sentences_of_a_watched_video_have_the_clips_that_prepared_ones_have(filmed: Known) -> None:
    for video_id, records in filmed.records.items():
        whole = watch_whole(filmed.videos[video_id], None, filmed.config, filmed.vocabulary, filmed.words)
        assert whole.clip_seconds == records[0].clip_seconds
        for name in ("sentence_starts", "sentence_ends"):
            np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(r, name) for r in records]))
        mine, theirs = sentence_segments([whole]), sentence_segments(records)
        assert bool(mine) == (video_id != "silent")
        assert all(same(one, other) for one, other in zip(mine, theirs, strict=True))


def test_windows_have_the_words_of_their_time(filmed: Known) -> None:
    segments = watch(filmed.videos["video1"], None, filmed.config, filmed.vocabulary, filmed.words, clips_per_segment=2)
    assert [segment.start_clip for segment in segments] == [0, 2, 4]
    said = [filmed.words.decode(segment.spoken) for segment in segments]
    assert said == ["now we cut the apple number 1.", "", "then we stir it well."]  # from 3.0 to 5.6 s
    (whole,) = filmed.watch(filmed.videos["video1"])
    np.testing.assert_array_equal(np.concatenate([segment.visual_ids for segment in segments]), whole.visual_ids)
    with pytest.raises(ValueError, match="windows of 0 clips; expected at least 1"):
        watch(filmed.videos["video1"], None, filmed.config, filmed.vocabulary, filmed.words, clips_per_segment=0)


def test_a_transcript_that_is_named_counts(filmed: Known, tmp_path: pathlib.Path) -> None:
    tiny_corpus.write_vtt(tmp_path / "other.vtt", [(1.0, 2.0, "We stir it well.")])
    for video_id in ("video0", "silent"):
        (segment,) = filmed.watch(filmed.videos[video_id], tmp_path / "other.vtt")
        assert filmed.words.decode(segment.spoken) == "we stir it well."


def test_the_settings_of_the_process_stay(filmed: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[object] = []
    monkeypatch.setattr(jax.config, "update", lambda *update: updates.append(update))
    monkeypatch.setenv("XLA_FLAGS", "--of_this_process")  # JAX has read it already
    before = dict(os.environ)
    filmed.watch(filmed.videos["video0"])
    assert (dict(os.environ), updates) == (before, [])


def test_progress_counts_clips(filmed: Known, capsys: pytest.CaptureFixture[str]) -> None:
    filmed.watch(filmed.videos["video0"])
    assert re.search(r"^watching video0\.mp4: 6/6 \(.* clip/s", capsys.readouterr().err, re.MULTILINE)


def refusal(given: Known, video: pathlib.Path, transcript: pathlib.Path | None = None, **changes: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        given.watch(video, transcript, **changes)
    return caught.value


def test_what_is_no_video_is_refused_with_advice(filmed: Known, tmp_path: pathlib.Path) -> None:
    (tmp_path / "words.mp4").write_text("this is no video")
    tiny_corpus.write_video(tmp_path / "short.mp4", seconds=0.6, seed=0)
    tiny_corpus.write_sound(tmp_path / "sound.mp4")
    (tmp_path / "folder").mkdir()
    for name, reason in {
        "absent.mp4": "there is no such file",
        "nowhere/absent.mp4": "there is no such file",
        "folder": "it is a folder",
        "words.mp4": "not decodable: Invalid data found when processing input",
        "short.mp4": "too short: 0.60 s, a clip needs 1.00 s",
        "sound.mp4": "no video stream",
    }.items():
        error = refusal(filmed, tmp_path / name)
        advice = "expected a video of at least 1.00 s that FFmpeg decodes: name another file"
        assert (type(error), str(error)) == (VideoError, f"{tmp_path / name}: {reason}; {advice}")


def test_a_file_without_usable_features_is_refused_with_advice(measured: Known, tmp_path: pathlib.Path) -> None:
    rows = measured.videos["video0"].read_bytes()
    np.save(tmp_path / "short.npy", np.zeros((1, 8), np.float32))
    (tmp_path / "half.npy").write_bytes(rows[: len(rows) // 2])
    (tmp_path / "film.mp4").write_bytes(b"a film")
    for name, reason in {
        "absent.npy": "cannot be read: No such file or directory",
        "film.mp4": "broken: File is not a zip file",
        "half.npy": "truncated: 144 bytes of 416",
        "short.npy": "too short: 1 rows, a clip needs 2",
    }.items():
        error = refusal(measured, tmp_path / name)
        advice = "expected an .npy or .npz file of features with at least 2 rows: name another file"
        assert (type(error), str(error)) == (VideoError, f"{tmp_path / name}: {reason}; {advice}")


def test_features_of_another_kind_are_refused_with_advice(measured: Known, tmp_path: pathlib.Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((4, 9), np.float32))
    error = refusal(measured, tmp_path / "wide.npy")
    reason = "features have shape (3, 9); this vocabulary was fitted on [n, 8]"
    advice = "use the backbone, the weights or the kind of files that the model's data were prepared with"
    assert (type(error), str(error)) == (VideoError, f"{tmp_path / 'wide.npy'}: {reason}: {advice}")


def test_a_transcript_that_cannot_be_used_is_refused_with_advice(filmed: Known, tmp_path: pathlib.Path) -> None:
    (tmp_path / "garbled.vtt").write_bytes(b"\x00\x81\x8d\x00")
    (tmp_path / "empty.vtt").touch()
    tiny_corpus.write_vtt(tmp_path / "absurd.vtt", [(1.0, 2.0, f"Cut it &#{'9' * 5000};")])
    for name, reason in {
        "absent.vtt": "the transcript cannot be read: No such file or directory",
        "garbled.vtt": "the transcript ",
        "empty.vtt": "the transcript ",
        "absurd.vtt": "the transcript cannot be understood (ValueError: ",
    }.items():
        error = str(refusal(filmed, filmed.videos["silent"], tmp_path / name))
        assert error.startswith(f"{tmp_path / name}: {reason}")
        assert error.endswith(
            "; expected WebVTT, SubRip, json3 or a table with speech: name another transcript, or remove this one"
        )


def test_a_transcript_beside_the_video_that_cannot_be_used_is_no_silence(filmed: Known, tmp_path: pathlib.Path) -> None:
    video = tmp_path / "video.mp4"
    video.symlink_to(filmed.videos["video0"])
    (tmp_path / "video.vtt").write_bytes(b"\x00\x81\x8d\x00")
    assert isinstance(refusal(filmed, video), TranscriptError)


def test_a_backbone_without_its_weights_is_an_error_of_the_config(filmed: Known) -> None:
    error = refusal(filmed, filmed.videos["video0"], backbone="s3d", backbone_weights="gone.pt", clip_frames=16)
    assert isinstance(error, ConfigError)
    assert "config.prepare.backbone_weights is 'gone.pt', not a file" in str(error)


def test_weights_that_cannot_be_read_are_an_error_of_the_config(filmed: Known, tmp_path: pathlib.Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"no weights")
    weights = {"backbone": "s3d", "backbone_weights": str(tmp_path / "weights.pt"), "clip_frames": 16}
    error = refusal(filmed, filmed.videos["video0"], **weights)
    assert isinstance(error, ConfigError)
    assert "the weights of backbone s3d cannot be read" in str(error)
