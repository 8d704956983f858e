"""The transcripts of all videos to sentences, one line of JSON for each video."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from videobert_jax.prepare import sentences as sentences_lib
from videobert_jax.prepare.formats import streams
from videobert_jax.prepare.formats.recognise import read_transcript
from videobert_jax.prepare.scan import Source
from videobert_jax.prepare.sentences import Sentence
from videobert_jax.prepare.storage import reading, whole
from videobert_jax.prepare.transcripts import Transcript, TranscriptError
from videobert_jax.progress import progress


@dataclasses.dataclass(frozen=True)
class Narration:
    """What is said in one video.

    Attributes:
      sentences: in the order of time, not overlapping; none without a usable transcript.
      repairs: what was mended in the transcript, and how often.
      problem: why the transcript cannot be used; empty if it can, or if there is none.
    """

    sentences: tuple[Sentence, ...] = ()
    repairs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    problem: str = ""


def narrate(source: Source, max_words: int) -> Narration:
    """Reads the transcript of one video and splits it into sentences of at most `max_words` words."""
    if source.transcript is None:
        return Narration()
    return _narration(functools.partial(read_transcript, source.transcript), max_words)


def _narration(parse: Callable[[], Transcript], max_words: int) -> Narration:
    try:
        transcript = parse()
        return Narration(tuple(sentences_lib.split(transcript.words, max_words)), transcript.repairs)
    except TranscriptError as error:
        reason = str(error)
    except (ValueError, OverflowError, RecursionError) as error:  # numbers and nestings that nobody means
        reason = f"the transcript cannot be understood ({type(error).__name__}: {error})"
    return Narration(problem=f"{reason}: used for video-only examples")


def write_narrations(
    path: pathlib.Path, sources: Sequence[Source], max_words: int, shared: pathlib.Path | None = None
) -> None:
    """Writes the file of all videos.

    What `shared`, one file with the transcripts of many videos, has for those without a transcript of their own stands
    in its order after the others: it may be larger than memory. Raises FormatError if it is broken.
    """
    narrations = progress(_narrations(sources, max_words, shared), len(sources), "transcripts", "video")
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        for video_id, narration in narrations:
            fields = dataclasses.asdict(narration)
            file.write(json.dumps({"video_id": video_id, **fields}, ensure_ascii=False) + "\n")


def _narrations(
    sources: Sequence[Source], max_words: int, shared: pathlib.Path | None
) -> Iterator[tuple[str, Narration]]:
    for source in sources:
        if source.transcript or not shared:
            yield source.video_id, narrate(source, max_words)
    if not shared:
        return
    missing = {source.video_id for source in sources if not source.transcript}
    for video_id, parse in streams.transcripts(shared, missing):
        missing.discard(video_id)
        yield video_id, _narration(parse, max_words)
    for video_id in sorted(missing):
        yield video_id, Narration(problem=f"{shared.name} has no transcript of it: used for video-only examples")


def read_narrations(path: pathlib.Path) -> Iterator[tuple[str, Narration]]:
    """What `write_narrations` wrote: (video id, narration), in that order. Raises DamagedError."""
    with reading(path, path.parent), path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            spoken = tuple(Sentence(**sentence) for sentence in fields["sentences"])
            yield fields["video_id"], Narration(spoken, fields["repairs"], fields["problem"])
