"""Which words are said around each clip: labels that any collection with speech has."""

import collections
import itertools
import re
from collections.abc import Sequence

from videobert_jax.speech.transcripts import Word

AROUND = 2.0  # seconds before and after a clip in which a word counts as said: speech and picture rarely coincide
MOST_WORDS = 100
FEWEST_CLIPS = 5  # on which a word is learned, and half as many on which it is judged
LARGEST_SHARE = 0.25  # of the clips: more frequent words say nothing about the picture


def said_around(words: Sequence[Word], clips: int, clip_seconds: float) -> list[set[str]]:
    """For each clip, the words said during it or up to `AROUND` seconds before or after, in lower case."""
    around: list[set[str]] = [set() for _ in range(clips)]
    for word in words:
        if text := re.sub(r"^\W+|\W+$", "", word.text).casefold():
            first = max(0, int((word.start - AROUND) // clip_seconds))
            for clip in range(first, min(clips, int((word.end + AROUND) // clip_seconds) + 1)):
                around[clip].add(text)
    return around


def frequent_words(learned: Sequence[Sequence[set[str]]], judged: Sequence[Sequence[set[str]]]) -> tuple[str, ...]:
    """The most frequent words that can be learned and judged: not too rare and not everywhere; ties by alphabet."""
    known, unseen = (list(itertools.chain.from_iterable(videos)) for videos in (learned, judged))
    counts = collections.Counter(itertools.chain.from_iterable(known))
    tests = collections.Counter(itertools.chain.from_iterable(unseen))
    usable = [
        word
        for word, count in counts.items()
        if FEWEST_CLIPS <= count <= LARGEST_SHARE * len(known) and FEWEST_CLIPS / 2 <= tests[word] < len(unseen)
    ]
    return tuple(sorted(usable, key=lambda word: (-counts[word], word))[:MOST_WORDS])
