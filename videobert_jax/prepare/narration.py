"""The transcripts of all videos to sentences, one line of JSON for each video."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from videobert_jax.prepare import sentences as sentences_lib
from videobert_jax.prepare.scan import Source
from videobert_jax.prepare.sentences import Sentence
from videobert_jax.prepare.storage import reading, whole
from videobert_jax.prepare.transcripts import TranscriptError, read_transcript
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
    try:
        transcript = read_transcript(source.transcript)
        return Narration(tuple(sentences_lib.split(transcript.words, max_words)), transcript.repairs)
    except TranscriptError as error:
        reason = str(error)
    except (ValueError, OverflowError, RecursionError) as error:  # numbers and nestings that nobody means
        reason = f"the transcript cannot be understood ({type(error).__name__}: {error})"
    return Narration(problem=f"{reason}: used for video-only examples")


def write_narrations(path: pathlib.Path, sources: Sequence[Source], max_words: int) -> None:
    """Writes the file of all videos."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        for source in progress(sources, len(sources), "transcripts", "video"):
            fields = dataclasses.asdict(narrate(source, max_words))
            file.write(json.dumps({"video_id": source.video_id, **fields}, ensure_ascii=False) + "\n")


def read_narrations(path: pathlib.Path) -> Iterator[tuple[str, Narration]]:
    """What `write_narrations` wrote: (video id, narration), in the order of the sources. Raises DamagedError."""
    with reading(path, path.parent), path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            spoken = tuple(Sentence(**sentence) for sentence in fields["sentences"])
            yield fields["video_id"], Narration(spoken, fields["repairs"], fields["problem"])
