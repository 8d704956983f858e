import dataclasses
import json
import pathlib
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import synthetic_records as synthetic
import tensorflow_datasets as tfds
from written_records import write_records

from videobert_jax.data import records, tfrecord
from videobert_jax.data.records import FORMATS, Record, RecordSource
from videobert_jax.errors import RecordError


def assert_equal(left: Record, right: Record) -> None:
    for field in dataclasses.fields(Record):
        a, b = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(a, b, err_msg=field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name


@pytest.fixture(params=FORMATS)
def written(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    """Two splits; the training split has 10 records in shards of 4."""
    write_records(tmp_path, "train", synthetic.corpus(5, 2), 4, request.param)
    write_records(tmp_path, "validation", synthetic.corpus(1, 2), 4, request.param)
    return tmp_path


def shard_of(directory: pathlib.Path, index: int) -> pathlib.Path:
    return next(directory.glob(f"videobert-train.*-{index:05d}-of-00003"))


def test_what_is_written_is_read(written: pathlib.Path) -> None:
    source = RecordSource(written, "train")
    expected = synthetic.corpus(5, 2)
    assert len(source) == len(expected)
    for index in (9, 0, 4, 3, 7):
        assert_equal(source[index], expected[index])
    for record, as_written in zip(source, expected, strict=True):
        assert_equal(record, as_written)
    assert len(RecordSource(written, "validation")) == 2
    with pytest.raises(IndexError):
        source[10]


def test_empty_fields_and_text_survive(tmp_path: pathlib.Path) -> None:
    silent = synthetic.record(0, sentences=0)
    unseen = synthetic.record(1, clips=0)
    named = dataclasses.replace(synthetic.record(2), video_id="ünïcode", captions=("crème brûlée",))
    write_records(tmp_path, "train", [silent, unseen, named])
    for index, expected in enumerate([silent, unseen, named]):
        assert_equal(RecordSource(tmp_path, "train")[index], expected)


def test_tfds_opens_the_directory(tmp_path: pathlib.Path) -> None:
    expected = synthetic.corpus(5, 2)
    write_records(tmp_path, "train", expected, 4)
    write_records(tmp_path, "validation", [synthetic.record(0, sentences=0)])
    assert sorted(path.name for path in tmp_path.glob("videobert-train*"))[-1] == (
        "videobert-train.array_record-00002-of-00003"
    )
    source = tfds.builder_from_directory(tmp_path).as_data_source("train")
    assert len(source) == 10
    for example, record in zip(source, expected, strict=True):
        assert example["schema_version"] == 2
        assert example["video_id"] == record.video_id.encode()
        assert example["clip_seconds"] == record.clip_seconds
        assert tuple(caption.decode() for caption in example["captions"]) == record.captions
        for name in ("visual_ids", "token_ids", "sentence_offsets", "sentence_starts", "caption_ends"):
            np.testing.assert_array_equal(example[name], getattr(record, name))
            assert example[name].dtype == getattr(record, name).dtype
    silent = tfds.builder_from_directory(tmp_path).as_data_source("validation")[0]
    assert len(silent["token_ids"]) == 0


@pytest.mark.parametrize("record_format", FORMATS)
def test_equal_records_give_equal_files(tmp_path: pathlib.Path, record_format: str) -> None:
    for name in ("a", "b"):
        write_records(tmp_path / name, "train", synthetic.corpus(5, 2), 4, record_format)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_source_can_be_pickled_and_read_by_threads(written: pathlib.Path) -> None:
    source = RecordSource(written, "train")
    assert_equal(source[1], pickle.loads(pickle.dumps(source))[1])
    with ThreadPoolExecutor(8) as pool:
        for index, record in enumerate(pool.map(source.__getitem__, list(range(10)) * 20)):
            assert_equal(record, synthetic.record(index % 10 // 2, index % 2))


def test_wrong_version_names_file_and_record(written: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(records, "VERSIONS", (3,))
    source = RecordSource(written, "train")
    with pytest.raises(
        RecordError,
        match=r"videobert-train.*00001-of-00003, record 2: schema version 2, expected one of 3; remove .* and prepare",
    ):
        source[6]


def test_missing_field(written: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(records._FIELDS, "mood", ("str", False))
    with pytest.raises(RecordError, match=r"00000-of-00003, record 0: the field 'mood' is missing"):
        RecordSource(written, "train")[0]


def test_flipped_byte_names_file_and_record(written: pathlib.Path) -> None:
    path = shard_of(written, 1)
    data = bytearray(path.read_bytes())
    if ".tfrecord" in path.name:
        place = data.index(records.encode(synthetic.corpus(5, 2)[5]))
    else:
        frames = [match.start() for match in re.finditer(rb"\x28\xb5\x2f\xfd", data)]  # Zstandard's, two a record
        place = frames[2]
    data[place + 20] ^= 1
    path.write_bytes(data)
    source = RecordSource(written, "train")
    source[4], source[6]
    with pytest.raises(RecordError, match=r"videobert-train.*00001-of-00003, record 1: .*(checksum|hash mismatch)"):
        source[5]


def test_flipped_length_of_a_tfrecord(tmp_path: pathlib.Path) -> None:
    tfrecord.write(tmp_path / "file", [b"first", b"second"])
    data = bytearray((tmp_path / "file").read_bytes())
    data[0] ^= 1
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match="the checksum of a record's length does not match"):
        tfrecord.Shard(tmp_path / "file")


def test_fields_are_stored_in_order() -> None:
    """Protocol Buffers otherwise serialises a map in an order that differs between processes."""
    data = records.encode(synthetic.record(0))
    places = [data.index(b"\x0a" + bytes([len(name)]) + name.encode()) for name in sorted(records._FIELDS)]
    assert places == sorted(places)


def test_data_of_something_else() -> None:
    with pytest.raises(ValueError, match=r"not a tf.train.Example"):
        records.decode(b"\xff\xff\xff")


@pytest.mark.parametrize("remains", [0, 1, 7, 0.5, -1])
def test_truncated_shard_is_named_at_opening(written: pathlib.Path, remains: float) -> None:
    path = shard_of(written, 2)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * remains) if remains == 0.5 else int(remains)])
    with pytest.raises(RecordError, match=r"videobert-train.*00002-of-00003: .+"):
        RecordSource(written, "train")


def test_shard_cut_between_two_records(written: pathlib.Path) -> None:
    record_format = json.loads((written / "dataset_info.json").read_text())["fileFormat"]
    records.write_shard(shard_of(written, 0), [synthetic.record(0)], record_format)
    with pytest.raises(RecordError, match=r"00000-of-00003: 1 records, dataset_info.json says 4"):
        RecordSource(written, "train")


def test_missing_shard(written: pathlib.Path) -> None:
    shard_of(written, 1).unlink()
    with pytest.raises(RecordError, match=r"the shard .*00001-of-00003 is missing; prepare the data again"):
        RecordSource(written, "train")


def test_empty_or_unknown_split(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RecordError, match=r"dataset_info.json does not exist; prepare the data again"):
        RecordSource(tmp_path, "train")
    write_records(tmp_path, "train", synthetic.corpus(1))
    write_records(tmp_path, "validation", [])
    with pytest.raises(RecordError, match=r"no records in the split 'validation' \(splits: train\)"):
        RecordSource(tmp_path, "validation")
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(RecordError, match=r"dataset_info.json is damaged"):
        RecordSource(tmp_path, "train")


def test_an_unknown_format_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"record_format is 'csv', expected one of array_record, tfrecord"):
        records.write_shard(tmp_path / "shard", synthetic.corpus(1), "csv")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clip_seconds": 0.0}, "clip_seconds is 0.0"),
        ({"visual_ids": np.array([-1], np.int32)}, "visual_ids has negative"),
        ({"token_ids": np.zeros(1, np.int32)}, "sentence_offsets runs over"),
        ({"sentence_offsets": np.zeros(0, np.int32)}, "sentence_offsets has 0 values for 2"),
        ({"sentence_offsets": np.array([0, 0, 6], np.int32)}, "a sentence has no tokens"),
        ({"sentence_ends": np.zeros(3, np.float32)}, "sentence_ends differs"),
        ({"sentence_ends": np.zeros(2, np.float32)}, "a sentence ends before it starts"),
        ({"sentence_starts": np.array([2, 1], np.float32)}, "sentence_starts is not sorted"),
        ({"captions": ()}, "captions, caption_starts and caption_ends differ"),
    ],
)
def test_malformed_records_are_not_written(tmp_path: pathlib.Path, change: dict[str, object], problem: str) -> None:
    good = synthetic.record(3, sentences=2, words=(3, 4))
    good = dataclasses.replace(
        good, sentence_starts=np.array([1, 2], np.float32), sentence_ends=np.array([2, 3], np.float32)
    )
    good.validate()
    with pytest.raises(ValueError, match=rf"record of video 'video3' at clip 0: .*{problem}"):
        write_records(tmp_path, "train", [dataclasses.replace(good, **change)])


def test_nothing_at_all_is_no_record() -> None:
    with pytest.raises(ValueError, match="neither clips nor sentences"):
        records.encode(synthetic.record(0, clips=0, sentences=0))


def test_a_clip_belongs_where_its_centre_lies() -> None:
    record = dataclasses.replace(synthetic.record(0, clips=4), start_clip=10, clip_seconds=2.0)  # centres 21 23 25 27
    starts = np.array([21, 21.5, 0, 23.5, 30], np.float32)
    ends = np.array([25, 25.5, 99, 24, 31], np.float32)
    first, stop = record.clips_within(starts, ends)
    assert first.tolist() == [0, 1, 0, 2, 4]
    assert stop.tolist() == [2, 3, 4, 2, 4]


def test_tfrecord_bytes(tmp_path: pathlib.Path) -> None:
    """CRC-32C of "123456789" is e3069283 (RFC 3720 family check value); masked: rotated right by 15, plus a282ead8."""
    tfrecord.write(tmp_path / "file", [b"123456789"])
    crc = 0xE3069283
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    data = (tmp_path / "file").read_bytes()
    assert data[:8] == (9).to_bytes(8, "little")
    assert data[12:] == b"123456789" + masked.to_bytes(4, "little")
    assert len(data) == 25


def test_as_many_files_as_shards_may_be_open(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual soft limit is 1,024; the hard limit is separate."""
    write_records(tmp_path, "train", synthetic.corpus(5, 2), 1)
    set_to = []
    monkeypatch.setattr(records.resource, "setrlimit", lambda _, limits: set_to.append(limits))
    monkeypatch.setattr(records.resource, "getrlimit", lambda _: (100, 5000))
    RecordSource(tmp_path, "train")
    assert set_to == [(10 + records.OTHER_FILES, 5000)]
    monkeypatch.setattr(records.resource, "getrlimit", lambda _: (100, 500))
    with pytest.raises(RecordError, match=r"10 shards, which takes 522 open files, and 500 are allowed"):
        RecordSource(tmp_path, "train")
