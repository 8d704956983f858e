"""Timed words to timed sentences, without a model.

Punctuated text is split after full stops, question marks and exclamation marks. Speech recognition gives none, so there
a sentence ends at a pause (a shorter one suffices before a word that often begins a clause, or at the end of a cue) and
before the words that open a step ("okay so", "and then", "next", ...); a user's function can replace these rules. A
sentence that is still too long is divided at its best weak point: a pause, the end of a cue, a comma, or a word that
begins a clause. `benchmarks/sentences.py` measures the quality of the rules.
"""

import dataclasses
import functools
import importlib
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from videobert_jax.config import PrepareConfig
from videobert_jax.errors import ConfigError
from videobert_jax.speech.transcripts import Word

# Words of one video -> the index of each word that ends a sentence; the last word may be omitted.
Splitter = Callable[[Sequence[Word]], Iterable[int]]

PUNCTUATED_SHARE = 0.02  # text is punctuated if at least this share of its words ends a sentence
PAUSE_SECONDS = 0.5
PAUSE_BEFORE_CLAUSE_SECONDS = 0.3
PAUSE_AT_CUE_END_SECONDS = 0.2

OPENERS = {"now", "then", "next", "okay", "ok", "alright", "finally", "first", "lastly", "afterwards", "anyway"}
SUBJECTS = {"i", "you", "we", "i'm", "you're", "we're", "i'll", "we'll", "it's", "that's", "let's", "let", "this"}
# Words that open a sentence only before certain others: "so we" and "and then" do, "so good" and "and salt" do not.
OPENERS_BEFORE = {"so": OPENERS | SUBJECTS, "well": OPENERS | SUBJECTS, "and": OPENERS}
# Words after which an opener does not open a sentence: "and then", "right now", "the first", "is next".
NO_OPENER_AFTER = {"and", "but", "or", "so", "well", "right", "just", "by", "for", "until", "even", "since", "the", "a"}
NO_OPENER_AFTER |= {"my", "your", "our", "is", "are", "was", "be", "from", "every", "um", "uh"} | OPENERS

# Words that often begin a clause (a weak point precedes them) and words that leave one open (none follows them).
STARTERS = {"and", "but", "or", "so", "because", "now", "if", "when", "while", "until", "which", "what", "then", "once"}
STARTERS |= {"he", "she", "they", "it", "there", "here", "why", "well"} | SUBJECTS
DANGLING = {"a", "an", "the", "my", "your", "our", "his", "their", "every", "some", "any", "each", "these", "those"}
DANGLING |= {"of", "to", "in", "for", "with", "by", "from", "into", "at", "as", "than", "and", "but", "or", "so", "if"}
DANGLING |= {"because", "when", "which", "who", "is", "are", "was", "were", "be", "been", "has", "have", "do", "does"}
DANGLING |= {"don't", "can", "will", "would", "should", "must", "might", "i", "he", "she", "they", "we", "just", "very"}
DANGLING |= {"it's", "that's", "let's", "i'm", "we're", "you're", "they're"}

SENTENCE_END = re.compile(r"(?P<mark>[.?!…]+)[\"'”\u2019)\]]*$")
NEVER_LAST = {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "approx", "fig"}  # abbreviations
SOMETIMES_LAST = {"tsp", "tbsp", "oz", "lb", "lbs", "etc", "min", "mins", "sec", "hr", "hrs", "a.m", "p.m"}


@dataclasses.dataclass(frozen=True)
class Sentence:
    """What is said from `start` to `end`, in seconds on the video's clock."""

    text: str
    start: float
    end: float


def find_splitter(config: PrepareConfig) -> Splitter | None:
    """Imports the function that the config names, if any. Raises ConfigError if it cannot be imported."""
    name = config.sentence_splitter
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"config.prepare.sentence_splitter is {name!r}, expected package.module:function of a module on Python's "
            f"path ({error}); set --config.prepare.sentence_splitter"
        ) from error
    if not callable(found):
        raise ConfigError(f"config.prepare.sentence_splitter is {name!r}, expected a function, not {found!r}")
    return found


def configured_split(config: PrepareConfig) -> Callable[[Sequence[Word]], list[Sentence]]:
    """Returns `split` with the settings of the config. Raises ConfigError if the splitter cannot be imported."""
    return functools.partial(split, max_words=config.max_sentence_words, splitter=find_splitter(config))


def split(words: Sequence[Word], max_words: int, splitter: Splitter | None = None) -> list[Sentence]:
    """Divides `words` of one video, in order of time, into sentences of at most `max_words` words, at least 1.

    `splitter` replaces the rules for unpunctuated text. Raises ConfigError if it fails or returns anything but indices
    of words.
    """
    punctuated = sum(bool(SENTENCE_END.search(word.text)) for word in words) >= PUNCTUATED_SHARE * len(words)
    if splitter and not punctuated:
        ends = _ends_by_splitter(words, splitter)
    else:
        ends_after = _ends_by_punctuation if punctuated else _ends_by_speech
        ends = [index for index in range(len(words) - 1) if ends_after(words, index)]
    borders = [0, *(end + 1 for end in ends), len(words)]
    return [
        Sentence(" ".join(word.text for word in part), part[0].start, part[-1].end)
        for start, stop in itertools.pairwise(borders)
        for part in _at_most(words[start:stop], max_words)
        if part
    ]


def _ends_by_splitter(words: Sequence[Word], splitter: Splitter) -> list[int]:
    """Calls the user's function. An error in it is not the transcript's fault, so it ends the run."""
    try:
        ends = sorted(map(operator.index, splitter(words)))
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"config.prepare.sentence_splitter failed ({type(error).__name__}: {error}) on a transcript that begins "
            f"{words[0].text!r} and has {len(words)} words; fix it and run the same command again"
        ) from error
    if ends and not (ends[0] >= 0 and ends[-1] < len(words)):
        raise ConfigError(
            f"config.prepare.sentence_splitter returned {ends[0]} to {ends[-1]}, expected indices of {len(words)} words"
        )
    return ends


def _ends_by_punctuation(words: Sequence[Word], index: int) -> bool:
    found = SENTENCE_END.search(words[index].text)
    if not found:
        return False
    body = words[index].text[: found.start()].lower().lstrip("(\"'“\u2018[")
    if found["mark"] != ".":
        return found["mark"][-1] in "?!" or words[index + 1].text[:1].isupper()  # "..." may be a hesitation
    if body in NEVER_LAST or (len(body) == 1 and body.isalpha() and body != "i"):
        return False
    return body not in SOMETIMES_LAST or words[index + 1].text[:1].isupper()


def _ends_by_speech(words: Sequence[Word], index: int) -> bool:
    before, word = words[index], words[index + 1]
    pause = word.start - before.end
    begins_clause = _bare(word) in STARTERS and _bare(before) not in DANGLING
    enough = PAUSE_BEFORE_CLAUSE_SECONDS if begins_clause else PAUSE_SECONDS
    if pause >= enough or (pause >= PAUSE_AT_CUE_END_SECONDS and before.cue != word.cue):
        return True
    if _bare(before) in NO_OPENER_AFTER:
        return False
    follower = _bare(words[index + 2]) if index + 2 < len(words) else ""
    return _bare(word) in OPENERS or follower in OPENERS_BEFORE.get(_bare(word), ())


def _at_most(words: Sequence[Word], max_words: int) -> Iterator[Sequence[Word]]:
    """Divides `words` at the best weak point, not too close to an end, until no part is too long."""
    if len(words) <= max_words:
        yield words
        return
    middle = len(words) / 2

    def strength(cut: int) -> float:
        before, after = words[cut - 1], words[cut]
        weak = 4 * (after.start - before.end) + 0.5 * (before.cue != after.cue) + before.text.endswith((",", ";", ":"))
        weak += (_bare(after) in STARTERS) - (_bare(before) in DANGLING)
        return weak - abs(cut - middle) / middle

    least = max(1, len(words) // 8)
    cut = max(range(least, len(words) - least + 1), key=strength)
    yield from _at_most(words[:cut], max_words)
    yield from _at_most(words[cut:], max_words)


def _bare(word: Word) -> str:
    return word.text.lower().replace("\u2019", "'").strip(".,;:!?\"'")
