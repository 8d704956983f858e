"""The record, which `prepare` writes and training reads; its schema is defined only here.

A record is a contiguous chunk of a video that fills about one row of a batch. It is stored as a `tf.train.Example`
(without TensorFlow) in shards of ArrayRecord, for random access, or TFRecord, for portability. The directory is a TFDS
dataset: `tfds.builder_from_directory` opens it.
"""

import bisect
import contextlib
import dataclasses
import itertools
import json
import math
import pathlib
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter
from google.protobuf.message import DecodeError
from tensorflow_datasets.proto import tf_example_pb2

from videobert_jax.data import tfrecord
from videobert_jax.errors import RecordError

SCHEMA_VERSION = 2
VERSIONS = (1, SCHEMA_VERSION)  # that are read; the first knew neither `clip_step` nor `ClipDetails`
DATASET = "videobert"
OTHER_FILES = 512  # that a process may have open besides the shards
FORMATS = ("array_record", "tfrecord")
PREPARE_AGAIN = "prepare the data again (launch/prepare.py)"

# Field of `Record` -> (dtype, whether it holds a list of values).
_FIELDS = {
    "schema_version": ("int32", False),
    "video_id": ("str", False),
    "start_clip": ("int32", False),
    "clip_seconds": ("float32", False),
    "clip_step": ("float32", False),
    "visual_ids": ("int32", True),
    "visual_codes": ("int32", True),
    "visual_features": ("bytes", False),
    "token_ids": ("int32", True),
    "sentence_offsets": ("int32", True),
    "sentence_starts": ("float32", True),
    "sentence_ends": ("float32", True),
    "captions": ("str", True),
    "caption_starts": ("float32", True),
    "caption_ends": ("float32", True),
}
_LISTS = {"int32": "int64_list", "float32": "float_list", "str": "bytes_list", "bytes": "bytes_list"}
_ADDED = ("clip_step", "visual_codes", "visual_features")  # by version 2


class ClipDetails(NamedTuple):
    """What is kept of n clips besides their visual words; see `visual_words.details`.

    Attributes:
      features: float16 [n, P], their features, projected; P is 0 if none are kept.
      codes: int32 [n, C], their further words, one of each of C codebooks.
    """

    features: np.ndarray
    codes: np.ndarray

    def at(self, clips: slice | np.ndarray) -> "ClipDetails":
        """The details of some of the clips."""
        return ClipDetails(self.features[clips], self.codes[clips])


def no_details(clips: int) -> ClipDetails:
    """The details of clips of which only the visual words are kept."""
    return ClipDetails(np.zeros((clips, 0), np.float16), np.zeros((clips, 0), np.int32))


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """A contiguous chunk of a video: n clips, s sentences with m WordPieces in total, c captions.

    Attributes:
      video_id: the video's name.
      start_clip: index of the chunk's first clip in the video; clip i of the chunk begins
        ``(start_clip + i) * clip_step`` seconds after the video.
      clip_seconds: length of a clip.
      visual_ids: int32 [n], visual words in ``[0, V)``, without the offset of the joint id space.
      token_ids: int32 [m], the WordPieces of all sentences, without special tokens.
      sentence_offsets: int32 [s + 1], bounds of the sentences in `token_ids`.
      sentence_starts, sentence_ends: float32 [s], seconds from the start of the video.
      captions: c ground-truth captions, often none.
      caption_starts, caption_ends: float32 [c], seconds from the start of the video.
      clip_step: seconds from the start of a clip to that of the next; 0: `clip_seconds`, clips do not overlap.
      details: what else is kept of the clips.
    """

    video_id: str
    start_clip: int
    clip_seconds: float
    visual_ids: np.ndarray
    token_ids: np.ndarray
    sentence_offsets: np.ndarray
    sentence_starts: np.ndarray
    sentence_ends: np.ndarray
    captions: tuple[str, ...] = ()
    caption_starts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    caption_ends: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    clip_step: float = 0.0
    details: ClipDetails | None = None

    @property
    def step(self) -> float:
        """Seconds from the start of a clip to that of the next."""
        return self.clip_step or self.clip_seconds

    @property
    def clip_details(self) -> ClipDetails:
        """The details of all clips, which may be without columns."""
        return no_details(len(self.visual_ids)) if self.details is None else self.details

    def border(self, clip: int | np.ndarray) -> float | np.ndarray:
        """Seconds from which on a moment is nearer to the centre of this chunk's `clip` than to that of the one before.

        Without overlap, this is where the clip begins.
        """
        return (self.start_clip + clip) * self.step + (self.clip_seconds - self.step) / 2

    def overlapping(self, rate: int = 1) -> int:
        """How many of the next clips, of every `rate`-th one, share frames with a clip."""
        return max(0, math.ceil(round(self.clip_seconds / (self.step * rate), 3)) - 1)

    def clips_within(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns, per span of seconds, this chunk's clips ``[first, stop)`` whose centres lie in ``[start, end)``."""
        centres = (self.start_clip + np.arange(len(self.visual_ids))) * self.step + self.clip_seconds / 2
        return np.searchsorted(centres, starts), np.searchsorted(centres, ends)

    def validate(self) -> None:
        """Raises ValueError, naming the field, if the arrays are inconsistent."""
        for sound, problem in self._checks():
            if not sound:
                raise ValueError(f"record of video {self.video_id!r} at clip {self.start_clip}: {problem}")

    def _checks(self) -> Iterator[tuple[bool, str]]:
        """Yields (whether a check passes, the problem if not); a check may rely on earlier ones."""
        clips, sentences, offsets = len(self.visual_ids), len(self.sentence_starts), self.sentence_offsets
        yield self.clip_seconds > 0, f"clip_seconds is {self.clip_seconds}, not above 0"
        yield self.clip_step >= 0, f"clip_step is {self.clip_step}, below 0"
        yield {len(part) for part in self.clip_details} == {clips}, "details are not of as many clips as visual_ids"
        yield clips + sentences > 0, "there are neither clips nor sentences"
        yield bool(np.all(self.visual_ids >= 0)), "visual_ids has negative ids"
        yield bool(np.all(self.token_ids >= 0)), "token_ids has negative ids"
        yield len(offsets) == sentences + 1, f"sentence_offsets has {len(offsets)} values for {sentences} sentences"
        bounds = (int(offsets[0]), int(offsets[-1]))
        yield bounds == (0, len(self.token_ids)), f"sentence_offsets runs over {bounds} of {len(self.token_ids)} tokens"
        yield bool(np.all(np.diff(offsets) > 0)), "a sentence has no tokens"
        yield len(self.sentence_ends) == sentences, "sentence_ends differs from sentence_starts in length"
        yield bool(np.all(self.sentence_ends >= self.sentence_starts)), "a sentence ends before it starts"
        yield bool(np.all(np.diff(self.sentence_starts) >= 0)), "sentence_starts is not sorted"
        lengths = {len(self.captions), len(self.caption_starts), len(self.caption_ends)}
        yield len(lengths) == 1, "captions, caption_starts and caption_ends differ in length"


def fields(record: Record) -> dict[str, Any]:
    """The values that are stored of a record, by the names of the data set's features."""
    features, codes = record.clip_details
    return {
        "schema_version": SCHEMA_VERSION,
        **{name: value for name, value in vars(record).items() if name != "details"},
        "visual_codes": codes.reshape(-1),
        "visual_features": features.astype("<f2").tobytes(),
    }


def encode(record: Record) -> bytes:
    """Serialises a record as a `tf.train.Example`; equal records give equal bytes."""
    record.validate()
    example, values = tf_example_pb2.Example(), fields(record)
    for name, (kind, many) in _FIELDS.items():
        listed = values[name] if many else [values[name]]
        stored = [text.encode() for text in listed] if kind == "str" else listed
        if kind in ("int32", "float32"):
            stored = np.asarray(listed, kind).tolist()
        getattr(example.features.feature[name], _LISTS[kind]).value.extend(stored)
    return example.SerializeToString(deterministic=True)


def decode(data: bytes) -> Record:
    """The inverse of `encode`. Raises ValueError if `data` is not a record of a schema version that is read."""
    try:
        features = tf_example_pb2.Example.FromString(data).features.feature
    except DecodeError as error:
        raise ValueError(f"not a tf.train.Example ({error})") from error
    expected = [name for name in _FIELDS if name in features or not _is_first_version(features) or name not in _ADDED]
    missing = [name for name in expected if name not in features]
    if missing:
        raise ValueError(f"the field {missing[0]!r} is missing")
    values = {name: _value(name, getattr(features[name], _LISTS[_FIELDS[name][0]]).value) for name in expected}
    version = values.pop("schema_version")
    if version not in VERSIONS:
        raise ValueError(f"schema version {version}, expected one of {', '.join(map(str, VERSIONS))}")
    clips = len(values["visual_ids"])
    raw, codes = values.pop("visual_features", b""), values.pop("visual_codes", None)
    if clips and (raw or (codes is not None and len(codes))):
        kept = np.frombuffer(raw, "<f2").reshape(clips, -1), np.asarray(codes).reshape(clips, -1)
        values["details"] = ClipDetails(*kept)
    return Record(**values)


def _is_first_version(features: Any) -> bool:
    return "schema_version" in features and list(features["schema_version"].int64_list.value) == [1]


def _value(name: str, stored: Any) -> Any:
    kind, many = _FIELDS[name]
    if not many and len(stored) != 1:
        raise ValueError(f"the field {name!r} has {len(stored)} values, expected 1")
    if kind == "str":
        texts = tuple(text.decode() for text in stored)
        return texts if many else texts[0]
    return np.fromiter(stored, kind, len(stored)) if many else stored[0]


def shard_name(split: str, record_format: str, index: int, count: int) -> str:
    """Returns the file name of a shard, as TFDS expects it."""
    return f"{DATASET}-{split}.{record_format}-{index:05d}-of-{count:05d}"


def write_shard(path: pathlib.Path, records: Iterable[Record], record_format: str) -> int:
    """Writes one shard and returns its number of records; holds all of them in memory.

    Args:
      path: a dataset's shards are named by `shard_name` and have the same format.
      records: a few thousand at most, since the time of a random read in ArrayRecord grows with their number.
      record_format: one of `FORMATS`; ValueError otherwise.
    """
    if record_format not in FORMATS:
        raise ValueError(f"record_format is {record_format!r}, expected one of {', '.join(FORMATS)}")
    shard = [encode(record) for record in records]
    if record_format == "tfrecord":
        tfrecord.write(path, shard)
        return len(shard)
    writer = ArrayRecordWriter(str(path), "group_size:1")  # Grain asks for groups of one
    for data in shard:
        writer.write(data)
    writer.close()
    return len(shard)


def write_metadata(directory: pathlib.Path, splits: Mapping[str, Sequence[int]]) -> None:
    """Writes the `features.json` and `dataset_info.json` that make the shards in `directory` a TFDS dataset.

    `splits` has the number of records in each shard of each split. Call this last: the files mark a complete dataset.
    """
    import tensorflow_datasets as tfds  # slow to import, and only writers need it

    splits = {name: lengths for name, lengths in splits.items() if lengths}  # TFDS does not allow empty splits
    if not splits:
        return
    dtypes = {"int32": np.int32, "float32": np.float32, "str": np.str_, "bytes": np.str_}
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features={
            name: tfds.features.Tensor(shape=(None,) if many else (), dtype=dtypes[kind])
            for name, (kind, many) in _FIELDS.items()
        },
        split_infos=[
            tfds.core.SplitInfo(name=name, shard_lengths=list(lengths), num_bytes=0) for name, lengths in splits.items()
        ],
        version=f"{SCHEMA_VERSION}.0.0",
        check_data=False,
        description="Chunks of videos as visual words and WordPieces, for VideoBERT.",
    )


def is_data_set(directory: pathlib.Path) -> bool:
    """Whether `directory` is a complete dataset, finished by `write_metadata`."""
    return _metadata(directory).exists()


def _metadata(directory: pathlib.Path) -> pathlib.Path:
    return directory / "dataset_info.json"


def _read_metadata(directory: pathlib.Path) -> tuple[str, dict[str, list[int]]]:
    """Returns the record format, and the number of records in each shard of each split."""
    path = _metadata(directory)
    try:
        info = json.loads(path.read_text())
        splits = {split["name"]: [int(length) for length in split["shardLengths"]] for split in info["splits"]}
        return info["fileFormat"], splits
    except FileNotFoundError as error:
        raise RecordError(f"{path} does not exist; {PREPARE_AGAIN}") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path} is damaged ({error}); {PREPARE_AGAIN}") from error


def splits_of(directory: pathlib.Path) -> tuple[str, ...]:
    """The splits that have records. Raises RecordError."""
    return tuple(_read_metadata(directory)[1])


class RecordSource:
    """Random access to the records of a split; a Grain data source, picklable and thread-safe.

    Opening it raises RecordError unless every shard exists and is complete.
    """

    def __init__(self, directory: pathlib.Path, split: str) -> None:
        record_format, splits = _read_metadata(directory)
        if not splits.get(split):
            raise RecordError(f"{directory} has no records in the split {split!r} (splits: {', '.join(splits)})")
        lengths = splits[split]
        _allow_open_files(directory, len(lengths))
        self._paths = [directory / shard_name(split, record_format, i, len(lengths)) for i in range(len(lengths))]
        self._shards = [_open(path, length, record_format) for path, length in zip(self._paths, lengths, strict=True)]
        self._stops = list(itertools.accumulate(lengths))

    def __len__(self) -> int:
        return self._stops[-1]

    def __getitem__(self, index: int) -> Record:
        """Reads a record. Raises RecordError, naming file and record, for damage or another schema version."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        shard = bisect.bisect_right(self._stops, index)
        position = index - (self._stops[shard - 1] if shard else 0)
        with _naming(self._paths[shard], f", record {position}"):
            return decode(self._shards[shard][position])

    def __iter__(self) -> Iterator[Record]:
        """Reads all records in order."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"RecordSource({self._paths[0].parent}, {len(self)} records in {len(self._paths)} shards)"


def _allow_open_files(directory: pathlib.Path, shards: int) -> None:
    """Raises the limit of open files where needed: every shard stays open once read, and defaults are often low."""
    needed = shards + OTHER_FILES
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if most != resource.RLIM_INFINITY and most < needed:
        raise RecordError(
            f"{directory} has {shards} shards, which takes {needed} open files, and {most} are allowed: raise the "
            "limit (ulimit -Hn), or prepare again with more videos in each, --config.prepare.videos_per_shard"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


@contextlib.contextmanager
def _naming(path: pathlib.Path, place: str = "") -> Iterator[None]:
    """Adds the location and the remedy to an error: launch/prepare.py does not detect all damage itself."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # ArrayRecord raises RuntimeError for damage
        reason = str(error) or "damaged or truncated"
        raise RecordError(f"{path}{place}: {reason}; remove {path.parent} and {PREPARE_AGAIN}") from error


def _open(path: pathlib.Path, length: int, record_format: str) -> ArrayRecordDataSource | tfrecord.Shard:
    if not path.exists():
        raise RecordError(f"the shard {path} is missing; {PREPARE_AGAIN}")
    with _naming(path):
        shard = ArrayRecordDataSource([str(path)]) if record_format == "array_record" else tfrecord.Shard(path)
        if len(shard) != length:
            raise ValueError(f"{len(shard)} records, dataset_info.json says {length}")
        return shard
