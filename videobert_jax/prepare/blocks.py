"""What there is to prepare, video by video, and the blocks of videos that are worked on together.

A block becomes one shard of the records. Blocks are of one split and as many videos each, in the order of their ids.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from videobert_jax.files import reading, whole
from videobert_jax.prepare.annotations import Annotation, Caption


@dataclasses.dataclass(frozen=True)
class Planned:
    """One video.

    Attributes:
      video_id: its name.
      video: the file.
      transcript: the file; None if it has none of its own.
      annotation: what people wrote about it; None if no annotations name it.
    """

    video_id: str
    video: str
    transcript: str | None
    annotation: Annotation | None


@dataclasses.dataclass(frozen=True, order=True)
class Block:
    """Block `index` of the `count` of a split; `str` and `parse` are inverse."""

    split: str
    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.split}-{self.index:05d}-of-{self.count:05d}"

    @classmethod
    def parse(cls, name: str) -> "Block":
        """The block of that name."""
        split, index, _, count = name.rsplit("-", 3)
        return cls(split, int(index), int(count))


def write_plan(path: pathlib.Path, videos: Iterable[Planned]) -> None:
    """Writes a line of JSON for each video."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        for video in videos:
            file.write(json.dumps(dataclasses.asdict(video)) + "\n")


def read_plan(path: pathlib.Path) -> Iterator[Planned]:
    """What `write_plan` wrote. Raises DamagedError."""
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
    """Writes the folder `directory`: for each block of at most `size` videos its part of the plan."""
    with whole(directory) as part:
        for split, video_ids in splits.items():
            starts = range(0, len(video_ids), size)
            for index, start in enumerate(starts):
                block = Block(split, index, len(starts))
                members = [videos[video_id] for video_id in video_ids[start : start + size]]
                write_plan(part / f"{block}.jsonl", members)


def list_blocks(directory: pathlib.Path) -> list[Block]:
    """The blocks in `directory`, in order; none if it is not there."""
    return [Block.parse(path.stem) for path in sorted(directory.glob("*.jsonl"))]
