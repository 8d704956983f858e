"""Sentence boundaries, with punctuation and without."""

import dataclasses
import pathlib
import re
import sys
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from videobert_jax.config import KitchenConfig, PrepareConfig
from videobert_jax.errors import ConfigError
from videobert_jax.kitchen.commentary import narrate, to_vtt
from videobert_jax.kitchen.recipes import Stream, plan_videos
from videobert_jax.speech import sentences
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.transcripts import Word


def spoken(text: str, gaps: dict[int, float] | None = None, words_per_cue: int = 1000) -> list[Word]:
    """Words of 0.3 s; `gaps` are pauses in seconds before a word."""
    words, time = [], 0.0
    for index, word in enumerate(text.split()):
        time += (gaps or {}).get(index, 0.0)
        words.append(Word(word, time, time + 0.3, index // words_per_cue))
        time += 0.3
    return words


def split(text: str, gaps: dict[int, float] | None = None, max_words: int = 24, words_per_cue: int = 1000) -> list[str]:
    return [sentence.text for sentence in sentences.split(spoken(text, gaps, words_per_cue), max_words)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Cut it.", "Stir it!", "Is it done?", "Yes."],
        ["Add 2.5 cups to 1.", "Then rest."],
        ["Ask Dr. Miller about e.g. salt.", "He knows."],
        ["Add 2 tbsp. of oil.", "Wait 5 min.", "Then stir."],
        ['He said "stop."', "I did."],
        ["Wait... what happened?", "Nothing…", "Good."],
        ["Mr. J. Smith cooks.", "So do I.", "We eat."],
    ],
)
def test_punctuation_ends_sentences(parts: list[str]) -> None:
    assert split(" ".join(parts)) == parts


def test_pauses_do_not_part_punctuated_sentences() -> None:
    assert split("Cut it slowly. Then rest.", gaps={2: 2.0}) == ["Cut it slowly.", "Then rest."]


def test_speech_without_punctuation_ends_at_a_pause() -> None:
    assert split("cut the apple stir the soup", gaps={3: 0.5}) == ["cut the apple", "stir the soup"]
    assert split("cut the apple stir the soup", gaps={3: 0.4}) == ["cut the apple stir the soup"]


def test_a_shorter_pause_is_enough_before_a_clause() -> None:
    assert split("cut the apple you stir the soup", gaps={3: 0.35}) == ["cut the apple", "you stir the soup"]
    assert len(split("cut the apple you stir the soup", gaps={3: 0.25})) == 1
    assert len(split("cut the apple and you stir the soup", gaps={4: 0.35})) == 1


def test_a_shorter_pause_is_enough_where_a_cue_ends() -> None:
    assert split("cut the apple stir the soup", gaps={3: 0.25}, words_per_cue=3) == ["cut the apple", "stir the soup"]
    assert split("cut the apple stir the soup", gaps={2: 0.25}, words_per_cue=3) == ["cut the apple stir the soup"]
    assert len(split("cut the apple stir the soup", words_per_cue=3)) == 1


@pytest.mark.parametrize(
    "parts",
    [
        ["we cut the apple", "now stir it", "okay so now we wait", "and then we eat"],
        ["it smells so good right now"],
        ["peel the first one and salt it", "so we can fry it"],
        ["the next thing is to rest", "next add oil"],
    ],
)
def test_openers_begin_sentences_where_they_open(parts: list[str]) -> None:
    assert split(" ".join(parts)) == parts


def test_no_sentence_is_longer_than_allowed_and_none_is_lost() -> None:
    text = " ".join(f"w{index}" for index in range(101))
    parts = split(text, max_words=24)
    assert " ".join(parts) == text
    assert all(8 <= len(part.split()) <= 24 for part in parts)


def test_long_sentences_are_cut_at_weak_points() -> None:
    text = "a b c d e f, g h i j k l"
    assert split(text, max_words=8) == ["a b c d e f,", "g h i j k l"]
    assert split(text.replace(",", ""), max_words=8, gaps={5: 0.4}) == ["a b c d e", "f g h i j k l"]
    assert split("a b c d e because g h i j k l", max_words=8)[1].startswith("because")


def test_a_long_sentence_is_cut_before_a_clause_and_not_after_an_article() -> None:
    assert split("a b c d e you f g h i j k", max_words=8) == ["a b c d e", "you f g h i j k"]
    assert split("a b c d it\u2019s f g h j k", max_words=8)[1].startswith("it\u2019s")
    assert split("b c d e f the g h j k l m", max_words=8, gaps={6: 0.1}) == ["b c d e f", "the g h j k l m"]


def test_a_long_sentence_is_cut_where_a_cue_ends() -> None:
    assert split("a b c d e f g h j k", max_words=8, words_per_cue=7) == ["a b c d e f g", "h j k"]


@pytest.mark.parametrize("words", [50, 51])
def test_one_full_stop_in_fifty_words_is_punctuation(words: int) -> None:
    parts = split("w " * (words - 1) + "w.", gaps={10: 1.0}, max_words=100)
    assert len(parts) == (1 if words == 50 else 2)


@pytest.mark.parametrize(("pause", "cut"), [(1, 10), (2, 2), (18, 18), (19, 10)])
def test_a_cut_leaves_an_eighth_on_either_side(pause: int, cut: int) -> None:
    """Cutting off word after word would take quadratic time."""
    first, second = split(" ".join(["w"] * 20), max_words=19, gaps={pause: 0.49})
    assert (len(first.split()), len(second.split())) == (cut, 20 - cut)
    assert split("a b c", max_words=1) == ["a", "b", "c"]


def last_of_each_cue(words: Sequence[Word]) -> list[np.int64]:
    """A splitter like one that a user might write."""
    cues = np.array([word.cue for word in words])
    return list(np.flatnonzero(np.diff(cues)))


def test_a_splitter_tells_where_unpunctuated_sentences_end() -> None:
    words = spoken("cut the apple stir the soup then eat", gaps={2: 1.0}, words_per_cue=3)
    found = sentences.split(words, 24, last_of_each_cue)
    assert [sentence.text for sentence in found] == ["cut the apple", "stir the soup", "then eat"]
    assert sentences.split(words, 2, last_of_each_cue)[0].text == "cut the"
    assert sentences.split(words, 24, lambda words: [7, 2, 2, 5]) == found
    assert len(sentences.split(words, 24, lambda words: [])) == 1
    punctuated = spoken("Cut it. Stir it.", words_per_cue=3)
    assert sentences.split(punctuated, 24, last_of_each_cue) == sentences.split(punctuated, 24)


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (lambda words: [1.5], r"failed \(TypeError: 'float' object cannot be interpreted as an integer\)"),
        (lambda words: None, r"failed \(TypeError"),
        (lambda words: words[9].text, r"failed \(IndexError"),
        (lambda words: sys.exit(0), r"failed \(SystemExit"),
        (lambda words: [0, 3], "returned 0 to 3, expected indices of 3 words"),
        (lambda words: [-1, 0], "returned -1 to 0, expected indices of 3 words"),
    ],
)
def test_a_splitter_that_goes_wrong_is_named(ends: sentences.Splitter, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"config.prepare.sentence_splitter {reason}"):
        sentences.split(spoken("cut the apple"), 24, ends)


def test_a_splitter_is_found_by_its_name() -> None:
    assert sentences.find_splitter(PrepareConfig()) is None
    named = PrepareConfig(sentence_splitter=f"{__name__}:last_of_each_cue")
    assert sentences.find_splitter(named) is last_of_each_cue


@pytest.mark.parametrize(
    "name", ["nothing.like:this", f"{__name__}:this", __name__, ":split", ".:split", f"{__name__}:__name__"]
)
def test_a_splitter_of_no_such_name_is_an_error_of_the_config(name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"config.prepare.sentence_splitter is {name!r}, expected ")):
        sentences.find_splitter(PrepareConfig(sentence_splitter=name))


def test_times_are_those_of_the_first_and_last_word() -> None:
    first, second = sentences.split(spoken("cut it stir it", gaps={2: 1.0}), 24)
    assert (first.start, first.end) == (0.0, 0.6)
    assert (second.start, second.end) == (pytest.approx(1.6), pytest.approx(2.2))


def test_nothing_said_is_no_sentence() -> None:
    assert sentences.split([], 24) == []


def test_boundaries_of_the_kitchen_narration(tmp_path: pathlib.Path) -> None:
    """Boundary F1 over 60 videos, with all punctuation and capitals removed, is far above that of cue ends alone."""
    path = tmp_path / "a.vtt"
    right = missed = wrong = 0
    for video in plan_videos(KitchenConfig(num_videos=60)):
        truth = narrate(video)
        path.write_text(to_vtt(truth, video.random(Stream.CAPTIONS)))
        words = [
            dataclasses.replace(w, text=re.sub(r"[.!?,]", "", w.text).lower()) for w in read_transcript(path).words
        ]
        expected = ends(sentence.text for sentence in truth)
        found = ends(sentence.text for sentence in sentences.split(words, 24))
        right, missed, wrong = (
            right + len(found & expected),
            missed + len(expected - found),
            wrong + len(found - expected),
        )
    assert 2 * right / (2 * right + missed + wrong) > 0.85


def ends(texts: Iterable[str]) -> set[int]:
    """The number of words before the end of each sentence, except the last."""
    lengths = [len(text.split()) for text in texts]
    return {sum(lengths[: index + 1]) for index in range(len(lengths) - 1)}
