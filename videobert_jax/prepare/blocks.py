"""The plan of the videos to prepare, and its blocks: videos of one split, sorted by id, that become one shard."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from videobert_jax.files import reading, whole
from videobert_jax.formats.annotations import Annotation, Caption


@dataclasses.dataclass(frozen=True)
class Planned:
    """A video to prepare: the paths of its file and of its own transcript, if any, and its annotation, if any."""

    video_id: str
    video: str
    transcript: str | None
    annotation: Annotation | None


@dataclasses.dataclass(frozen=True, order=True)
class Block:
    """Block `index` of the `count` blocks of a split; `parse` is the inverse of `str`."""

    split: str
    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.split}-{self.index:05d}-of-{self.count:05d}"

    @classmethod
    def parse(cls, name: str) -> "Block":
        """Returns the block with this name."""
        split, index, _, count = name.rsplit("-", 3)
        return cls(split, int(index), int(count))


def write_plan(path: pathlib.Path, videos: Iterable[Planned]) -> None:
    """Writes one line of JSON per video."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        for video in videos:
            file.write(json.dumps(dataclasses.asdict(video)) + "\n")


def read_plan(path: pathlib.Path) -> Iterator[Planned]:
    """Reads a file written by `write_plan`. Raises DamagedError."""
    with reading(path, path), path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            if known := fields["annotation"]:
                captions = tuple(Caption(**caption) for caption in known["captions"])
                fields["annotation"] = Annotation(known["split"], captions)
            yield Planned(**fields)


def write_blocks(
    directory: pathlib.Path, videos: Mapping[str, Planned], splits: Mapping[str, Sequence[str]], size: int
) -> None:
    """Splits the plan into blocks of at most `size` videos and writes one file for each to `directory`."""
    with whole(directory) as part:
        for split, video_ids in splits.items():
            starts = range(0, len(video_ids), size)
            for index, start in enumerate(starts):
                block = Block(split, index, len(starts))
                members = [videos[video_id] for video_id in video_ids[start : start + size]]
                write_plan(part / f"{block}.jsonl", members)


def list_blocks(directory: pathlib.Path) -> list[Block]:
    """Returns the blocks in `directory`, in order; none if it does not exist."""
    return [Block.parse(path.stem) for path in sorted(directory.glob("*.jsonl"))]
