"""Words with times to sentences with times, without a model.

Punctuated text is split after its full stops, question and exclamation marks. Speech recognition gives none, so there a
sentence ends at a pause, for which less will do where a cue ends too, and before the words that open a step ("okay so",
"and then", "next", ...). Either way a sentence longer than allowed is halved at its best weak point: a pause, the end
of a cue, a comma, a conjunction.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from videobert_jax.prepare.transcripts import Word

PUNCTUATED_SHARE = 0.02  # of the words end a sentence in punctuated text: one in fifty
PAUSE_SECONDS = 0.5
PAUSE_AT_CUE_END_SECONDS = 0.2

OPENERS = {"now", "then", "next", "okay", "ok", "alright", "finally", "first", "lastly", "afterwards", "anyway"}
SUBJECTS = {"i", "you", "we", "i'm", "you're", "we're", "i'll", "we'll", "it's", "that's", "let's", "let", "this"}
# These open a sentence only before certain words: "so we" and "and then" do, "so good" and "and salt" do not.
OPENERS_BEFORE = {"so": OPENERS | SUBJECTS, "well": OPENERS | SUBJECTS, "and": OPENERS}
# After these an opener opens nothing: "and then", "right now", "the first", "is next".
NO_OPENER_AFTER = {"and", "but", "or", "so", "well", "right", "just", "by", "for", "until", "even", "since", "the", "a"}
NO_OPENER_AFTER |= {"my", "your", "our", "is", "are", "was", "be", "from", "every", "um", "uh"} | OPENERS

# Where a sentence is too long, it is cut before a word that often begins a clause, and not after one that leaves it open.
STARTERS = frozenset(
    """and but or so because now if when while until which what why well then once
    i he she they we you it it's that's there's let's let i'm i'll we'll you'll this here there""".split()
)
DANGLING = frozenset(
    """a an the my your our his their each every some any these those of to in for with by from into at than as
    and but or so because if when which who i he she they we it's that's let's i'm we're you're they're
    is are was were be been being has have do does did don't can could will would should must might may just very""".split()
)

SENTENCE_END = re.compile(r"(?P<mark>[.?!…]+)[\"'”\u2019)\]]*$")
NEVER_LAST = {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "approx", "fig"}  # abbreviations
SOMETIMES_LAST = {"tsp", "tbsp", "oz", "lb", "lbs", "etc", "min", "mins", "sec", "hr", "hrs", "a.m", "p.m"}


@dataclasses.dataclass(frozen=True)
class Sentence:
    """What was said between two moments, in seconds on the video's clock."""

    text: str
    start: float
    end: float


def split(words: Sequence[Word], max_words: int) -> list[Sentence]:
    """Cuts `words`, in the order of time, into sentences of at most `max_words` words."""
    punctuated = sum(bool(SENTENCE_END.search(word.text)) for word in words) >= PUNCTUATED_SHARE * len(words)
    ends_after = _ends_by_punctuation if punctuated else _ends_by_speech
    groups: list[list[Word]] = [[]]
    for index, word in enumerate(words):
        groups[-1].append(word)
        if index + 1 < len(words) and ends_after(words, index):
            groups.append([])
    return [
        Sentence(" ".join(word.text for word in part), part[0].start, part[-1].end)
        for group in groups
        for part in _at_most(group, max_words)
        if part
    ]


def _ends_by_punctuation(words: Sequence[Word], index: int) -> bool:
    found = SENTENCE_END.search(words[index].text)
    if not found:
        return False
    body = words[index].text[: found.start()].lower().lstrip("(\"'“\u2018[")
    if found["mark"] != ".":
        return found["mark"][-1] in "?!" or words[index + 1].text[:1].isupper()  # "..." may be a mere hesitation
    if body in NEVER_LAST or (len(body) == 1 and body.isalpha() and body != "i"):
        return False
    return body not in SOMETIMES_LAST or words[index + 1].text[:1].isupper()


def _ends_by_speech(words: Sequence[Word], index: int) -> bool:
    before, word = words[index], words[index + 1]
    pause = word.start - before.end
    if pause >= PAUSE_SECONDS or (pause >= PAUSE_AT_CUE_END_SECONDS and before.cue != word.cue):
        return True
    if _bare(before) in NO_OPENER_AFTER:
        return False
    follower = _bare(words[index + 2]) if index + 2 < len(words) else ""
    return _bare(word) in OPENERS or follower in OPENERS_BEFORE.get(_bare(word), ())


def _at_most(words: Sequence[Word], max_words: int) -> Iterator[Sequence[Word]]:
    """Halves `words` at the best weak point near the middle until no part is too long."""
    if len(words) <= max_words:
        yield words
        return
    middle = len(words) / 2

    def strength(cut: int) -> float:
        before, after = words[cut - 1], words[cut]
        weak = 4 * (after.start - before.end) + 0.5 * (before.cue != after.cue) + before.text.endswith((",", ";", ":"))
        weak += (_bare(after) in STARTERS) - (_bare(before) in DANGLING)
        return weak - abs(cut - middle) / middle

    cut = max(range(1, len(words)), key=strength)
    yield from _at_most(words[:cut], max_words)
    yield from _at_most(words[cut:], max_words)


def _bare(word: Word) -> str:
    return word.text.lower().replace("’", "'").strip(".,;:!?\"'")
