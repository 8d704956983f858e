"""Measures how well unpunctuated speech is split into sentences, compared with other methods without a trained model.

    python benchmarks/sentences.py CORPUS [CORPUS ...]

A corpus is a file or a folder of punctuated transcripts, in any format that `prepare` reads, or as JSON lists
``[[word, start, end], ...]`` in seconds. The punctuation gives the true sentence boundaries; each method sees the words
without punctuation and capitals. Boundaries are counted over all files of a corpus. The narration of our own kitchen
corpus comes last.

Words of JSON lists keep their start times, and get durations as YouTube's words do in `prepare`; every eight words form
a cue. "Without word times" keeps only the times of cues, like the captions of HowTo100M.

The peers: a cut every N words, the mean of the corpus; a cut at each end of a cue; cuts at the longest pauses, as many
as there are boundaries, which a real method would not know; `pysbd` and `sentencex`, if they are installed.
"""

import contextlib
import dataclasses
import functools
import importlib
import itertools
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from absl import app, logging

from videobert_jax.config import KitchenConfig, PrepareConfig
from videobert_jax.errors import TranscriptError
from videobert_jax.kitchen.commentary import narrate, to_vtt
from videobert_jax.kitchen.recipes import Stream, plan_videos
from videobert_jax.speech import sentences
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.transcripts import LONGEST_LETTER_SECONDS, LONGEST_WORD_SECONDS, Word, parse_subtitles

WORDS_PER_CUE = 8
MAX_WORDS = PrepareConfig().max_sentence_words

Spoken = tuple[list[Word], set[int]]  # bare words; inner sentence boundaries as word counts
Method = Callable[[list[Word], int], set[int]]  # (words, number of boundaries) -> boundaries


def borders(texts: Sequence[str]) -> set[int]:
    """The boundaries between sentences, as numbers of words before them."""
    return set(itertools.accumulate(len(text.split()) for text in texts[:-1]))


def bare(words: Sequence[Word]) -> Spoken | None:
    """Words without punctuation and capitals, and the sentence boundaries; None without punctuation."""
    ends = sum(bool(sentences.SENTENCE_END.search(word.text)) for word in words)
    if ends < sentences.PUNCTUATED_SHARE * len(words):
        return None
    after = borders([sentence.text for sentence in sentences.split(words, len(words))])
    texts = [re.sub(r"^\W+|\W+$", "", word.text).lower() for word in words]
    kept = list(itertools.accumulate(map(bool, texts), initial=0))
    stripped = [dataclasses.replace(word, text=text) for word, text in zip(words, texts, strict=True) if text]
    return stripped, {kept[end] for end in after} - {0, len(stripped)}


def read(path: pathlib.Path) -> list[Word]:
    """The words of a transcript or of a JSON list of timed words."""
    if path.suffix != ".json":
        return list(read_transcript(path).words)
    timed = [(part, start) for text, start, _ in json.loads(path.read_text()) for part in text.split()]
    words = []
    for index, (text, start) in enumerate(timed):
        longest = start + LONGEST_WORD_SECONDS + LONGEST_LETTER_SECONDS * len(text)
        following = timed[index + 1][1] if index + 1 < len(timed) else longest
        words.append(Word(text, start, min(max(start, following), longest), index // WORDS_PER_CUE))
    return words


def without_word_times(words: Sequence[Word]) -> Iterator[Word]:
    """Distributes the time of each cue over its words by their numbers of letters."""
    for _, group in itertools.groupby(words, lambda word: word.cue):
        cue = list(group)
        letters = list(itertools.accumulate((len(word.text) for word in cue), initial=0))
        start, seconds = cue[0].start, cue[-1].end - cue[0].start
        moments = [start + seconds * passed / letters[-1] for passed in letters]
        for word, (begins, stops) in zip(cue, itertools.pairwise(moments), strict=True):
            yield Word(word.text, begins, stops, word.cue)


def kitchen() -> list[Spoken]:
    """The narration of the kitchen corpus, with the cues and word times of its transcripts."""
    corpus = []
    for video in plan_videos(KitchenConfig()):
        said = narrate(video)
        words = parse_subtitles(to_vtt(said, video.random(Stream.CAPTIONS))).words
        stripped = [dataclasses.replace(word, text=re.sub(r"[.!?,]", "", word.text).lower()) for word in words]
        corpus.append((stripped, borders([sentence.text for sentence in said])))
    return corpus


def rules(max_words: int) -> Method:
    """The method of `prepare`."""
    return lambda words, _: borders([sentence.text for sentence in sentences.split(words, max_words)])


def longest_pauses(words: list[Word], count: int) -> set[int]:
    """Boundaries at the longest pauses."""
    pauses = {index: words[index].start - words[index - 1].end for index in range(1, len(words))}
    return set(sorted(pauses, key=pauses.__getitem__)[len(pauses) - count :])


def cue_ends(words: list[Word], _: int) -> set[int]:
    """Boundaries at the starts of cues."""
    return {index for index in range(1, len(words)) if words[index].cue != words[index - 1].cue}


def of_text(split: Callable[[str], Iterable[str]]) -> Method:
    """A method that uses only text, from a library."""
    return lambda words, _: borders(list(split(" ".join(word.text for word in words))))


def methods(mean: int) -> Iterator[tuple[str, Method]]:
    """All methods, with their names."""
    yield f"ours, at most {MAX_WORDS} words", rules(MAX_WORDS)
    yield "ours, of any length", rules(1_000_000)
    yield f"every {mean} words", lambda words, _: set(range(mean, len(words), mean))
    yield "ends of cues", cue_ends
    yield "longest pauses", longest_pauses
    with contextlib.suppress(ImportError):
        pysbd = importlib.import_module("pysbd")
        yield "pysbd", of_text(pysbd.Segmenter(language="en").segment)
    with contextlib.suppress(ImportError):
        sentencex = importlib.import_module("sentencex")
        yield "sentencex", of_text(functools.partial(sentencex.segment, "en"))


def judge(name: str, corpus: Sequence[Spoken]) -> None:
    """Prints a row for each method."""
    words, count = sum(len(spoken) for spoken, _ in corpus), sum(len(expected) for _, expected in corpus)
    mean = round(words / (count + len(corpus)))
    print(f"\n{name}: {len(corpus)} transcripts, {words:,} words, {count:,} sentence boundaries\n")
    print("| method | precision | recall | F1 |\n|---|---|---|---|")
    for method, find in methods(mean):
        found = [(find(spoken, len(expected)), expected) for spoken, expected in corpus]
        right, total = sum(len(ours & theirs) for ours, theirs in found), sum(len(ours) for ours, _ in found)
        shares = (right / max(1, total), right / count, 2 * right / (total + count))
        print(f"| {method} | {' | '.join(f'{share:.1%}' for share in shares)} |")


def main(arguments: list[str]) -> None:
    """Evaluates the methods on each corpus of the command line, and on the kitchen's."""
    for argument in arguments[1:]:
        place = pathlib.Path(argument)
        corpus = []
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            try:
                spoken = bare(read(path))
            except (TranscriptError, ValueError) as error:
                logging.warning("%s: %s", path, error)
                continue
            corpus += [spoken] if spoken else []
        judge(place.name, corpus)
        if any(path.suffix == ".json" for path in place.glob("*")):
            judge(f"{place.name} without word times", [(list(without_word_times(w)), ends) for w, ends in corpus])
    judge("kitchen", kitchen())


if __name__ == "__main__":
    app.run(main)
