"""The transcript of one video to sentences."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from videobert_jax.errors import ConfigError, TranscriptError
from videobert_jax.speech.sentences import Sentence
from videobert_jax.speech.transcripts import Transcript, Word


@dataclasses.dataclass(frozen=True)
class Narration:
    """The speech of one video."""

    sentences: tuple[Sentence, ...] = ()  # in order of time, not overlapping; empty without a usable transcript
    repairs: Mapping[str, int] = dataclasses.field(default_factory=dict)  # of the transcript, by kind
    problem: str = ""  # why the transcript cannot be used; empty if it can, or if there is none


Split = Callable[[Sequence[Word]], Sequence[Sentence]]


def understand(parse: Callable[[], Transcript], split: Split) -> Narration:
    """Parses a transcript and applies `split` to its words. Raises TranscriptError if it cannot be used."""
    try:
        transcript = parse()
        return Narration(tuple(split(transcript.words)), transcript.repairs)
    except ConfigError:  # a ValueError, but of the config
        raise
    except (ValueError, OverflowError, RecursionError) as error:  # absurd numbers or nesting
        reason = f"the transcript cannot be understood ({type(error).__name__}: {error})"
        raise TranscriptError(reason) from error


def narrate(parse: Callable[[], Transcript], split: Split) -> Narration:
    """Like `understand`, but reports an unusable transcript as the narration's `problem`."""
    try:
        return understand(parse, split)
    except TranscriptError as error:
        return Narration(problem=f"{error}: used for video-only examples")
