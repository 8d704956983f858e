"""The narrations of a block's videos, one line of JSON per video."""

import collections
import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from videobert_jax.files import reading, whole
from videobert_jax.prepare import streams
from videobert_jax.prepare.blocks import Block, Planned
from videobert_jax.progress import progress
from videobert_jax.speech.narration import Narration, Split, narrate
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.sentences import Sentence
from videobert_jax.speech.transcripts import Transcript


def deal_out(shared: pathlib.Path, blocks: Mapping[Block, Sequence[Planned]], directory: pathlib.Path) -> None:
    """Splits one file of many transcripts, which may exceed memory, by block, for videos without their own transcript.

    Raises FormatError if the file is broken.
    """
    owners: dict[str, list[Block]] = collections.defaultdict(list)
    for block, videos in blocks.items():
        for video in videos:
            owners[video.video_id] += [] if video.transcript else [block]
    with whole(directory) as part:
        part.mkdir()
        entries = progress(streams.transcripts(shared, owners), len(owners), "shared transcripts", "video")
        for block in blocks:
            (part / f"{block}.jsonl").touch()
        for video_id, content in entries:
            line = _line(video_id, content)
            for block in owners[video_id]:
                with (part / f"{block}.jsonl").open("a") as file:
                    file.write(line)


def _line(video_id: str, content: Any) -> str:
    try:
        return json.dumps([video_id, content]) + "\n"
    except RecursionError:  # nested too deeply for a transcript
        return json.dumps([video_id, None]) + "\n"


def read_dealt(path: pathlib.Path) -> dict[str, Callable[[], Transcript]]:
    """Reads a block's file from `deal_out`: video id -> function that parses its transcript. Raises DamagedError."""
    with reading(path, path.parent), path.open() as file:
        entries = dict(map(json.loads, file))
    return {video_id: functools.partial(streams.parse, content) for video_id, content in entries.items()}


def narrations(
    videos: Iterable[Planned], dealt: Mapping[str, Callable[[], Transcript]], shared: str, split: Split
) -> Iterator[Narration]:
    """Yields each video's narration, from its own transcript or else from `dealt`, the transcripts of file `shared`."""
    for video in videos:
        if video.transcript:
            yield narrate(functools.partial(read_transcript, pathlib.Path(video.transcript)), split)
        elif video.video_id in dealt:
            yield narrate(dealt[video.video_id], split)
        elif shared:
            yield Narration(problem=f"{shared} has no transcript for it: used for video-only examples")
        else:
            yield Narration()


def write_narrations(path: pathlib.Path, videos: Sequence[Planned], narrations: Iterable[Narration]) -> None:
    """Writes the file of a block."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        for video, narration in zip(videos, narrations, strict=True):
            fields = {"video_id": video.video_id, **dataclasses.asdict(narration)}
            file.write(json.dumps(fields, ensure_ascii=False) + "\n")


def read_narrations(path: pathlib.Path) -> Iterator[tuple[str, Narration]]:
    """Yields (video id, narration) from a file written by `write_narrations`, in order. Raises DamagedError."""
    with reading(path, path), path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            spoken = tuple(Sentence(**sentence) for sentence in fields["sentences"])
            yield fields["video_id"], Narration(spoken, fields["repairs"], fields["problem"])
