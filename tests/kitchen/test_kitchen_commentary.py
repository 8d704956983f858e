"""Narration: wording, timing and the three styles of WebVTT."""

import collections
import itertools
import re
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import webvtt

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen import commentary
from videobert_jax.kitchen.actions import VERBS
from videobert_jax.kitchen.commentary import Sentence, gerund, narrate, to_vtt
from videobert_jax.kitchen.objects import OBJECTS
from videobert_jax.kitchen.recipes import Step, Stream, Video, plan_videos
from videobert_jax.speech.read import read_transcript

VIDEOS = plan_videos(KitchenConfig())
SPOKEN = [narrate(video) for video in VIDEOS]
SENTENCES = [sentence for sentences in SPOKEN for sentence in sentences]


def names(sentence: Sentence, step: Step) -> bool:
    """Whether the sentence names the step, the verb in its base form."""
    return {step.verb, step.object} <= set(sentence.text.split())


def naming(sentences: list[Sentence]) -> list[Sentence]:
    return [s for s in sentences if set(s.text.split()) & set(VERBS) and set(s.text.split()) & set(OBJECTS)]


def styled(style: str) -> tuple[Video, list[Sentence], str]:
    for video, sentences in zip(VIDEOS, SPOKEN, strict=True):
        text = to_vtt(sentences, video.random(Stream.CAPTIONS))
        if style_of(text) == style:
            return video, sentences, text
    raise AssertionError(f"no video in the style {style}")


def style_of(text: str) -> str:
    if "<c>" in text:
        return "rolling"
    return "punctuated" if re.search(r"[.!]$", text, re.M) else "bare"


def test_gerunds() -> None:
    assert [gerund(verb) for verb in VERBS] == [
        "cutting", "pouring", "stirring", "frying", "peeling", "grating", "mashing", "washing",
    ]  # fmt: skip


def test_speech_is_in_order_and_within_the_video() -> None:
    for video, sentences in zip(VIDEOS, SPOKEN, strict=True):
        assert all(s.start < s.end for s in sentences)
        assert all(a.end <= b.start for a, b in itertools.pairwise(sentences))
        assert sentences[0].start >= 0
        assert sentences[-1].end <= video.duration + 1.0


def test_steps_are_named_close_to_when_they_are_shown() -> None:
    shifts, named, covered = [], 0, 0.0
    for video, sentences in zip(VIDEOS, SPOKEN, strict=True):
        for step in video.steps:
            about = [s for s in sentences if names(s, step) and s.start > step.start - 2 and s.end < step.end + 2]
            named += bool(about)
            shifts += [s.start - step.start for s in about[:1]]
            covered += sum(min(s.end, step.end) - max(s.start, step.start) for s in about)
    count = sum(len(video.steps) for video in VIDEOS)
    assert named / count > 0.9  # the others are named with a gerund
    assert min(shifts) < -1.0  # some are spoken before
    assert max(shifts) > 1.0  # and some after
    assert covered / count > 2.5  # seconds of a step about which its words are spoken


def test_nothing_is_named_that_is_not_shown() -> None:
    for video, sentences in zip(VIDEOS, SPOKEN, strict=True):
        shown = {word for step in video.steps for word in (step.verb, step.object)}
        said = {word for sentence in sentences for word in sentence.text.split()}
        assert said & {*VERBS, *OBJECTS} <= shown


def test_chatter_names_nothing() -> None:
    for line in commentary.CHATTER:
        words = set(re.findall(r"[a-z]+", " ".join((line, *commentary.PEOPLE, *commentary.THINGS)).lower()))
        assert not words & {*VERBS, *OBJECTS, *map(gerund, VERBS)}


def test_the_wording_varies_and_the_template_is_only_one_of_many() -> None:
    about = naming(SENTENCES)
    exact = [s for s in about if re.match(r"now let me show you how to \w+ the \w+\b", s.text)]
    assert 0.015 < len(exact) / len(about) < 0.05
    assert len({s.text for s in about}) / len(about) > 0.75
    unnamed = [s for s in SENTENCES if s not in about]
    assert len(unnamed) / len(SENTENCES) > 0.2


def test_only_the_eight_verbs_follow_the_template_about_equally_often() -> None:
    following = collections.Counter(
        m[1] for s in SENTENCES if (m := re.search(r"let me show you how to (\w+)", s.text))
    )
    words = {word: count for word, count in following.items() if word not in ("um", "uh", "you", "like", "kind")}
    assert set(words) == set(VERBS)
    assert max(words.values()) / sum(words.values()) < 0.18


@pytest.mark.parametrize("style", ["punctuated", "bare", "rolling"])
def test_files_parse_and_keep_every_word(style: str) -> None:
    _, sentences, text = styled(style)
    expected = [word.lower() for sentence in sentences for word in sentence.text.split()]
    cues = webvtt.from_string(text).captions
    if style == "rolling":  # the last line of every other cue is new; the rest stands still
        found = [word for cue in cues[::2] for word in cue.text.split("\n")[-1].split()]
        stamps = re.findall(r"<(\d\d:\d\d:\d\d\.\d{3})><c>", text)
        assert stamps == sorted(stamps)
        assert all(
            later.text.split("\n")[0] == cue.text.strip() for cue, later in zip(cues[1::2], cues[2::2], strict=False)
        )
    else:
        found = [word.strip(",.!").lower() for cue in cues for word in cue.text.split()]
        events = pysubs2.SSAFile.from_string(text, format_="vtt").events
        assert len(events) == len(cues)
        assert events[0].start == pytest.approx(1000 * sentences[0].start, abs=1)
        assert events[-1].end == pytest.approx(1000 * sentences[-1].end, abs=1)
    assert found == expected


@pytest.mark.parametrize("style", ["punctuated", "bare", "rolling"])
def test_our_own_reader_hears_every_word_in_its_time(style: str, tmp_path: Path) -> None:
    _, sentences, text = styled(style)
    (tmp_path / "talk.vtt").write_text(text)
    words = read_transcript(tmp_path / "talk.vtt").words
    expected = [(word.lower(), s.start, s.end) for s in sentences for word in s.text.split()]
    assert [word.text.strip(",.!").lower() for word in words] == [word for word, _, _ in expected]
    assert all(start - 0.5 <= word.start <= end + 0.5 for word, (_, start, end) in zip(words, expected, strict=True))


def test_a_third_of_the_files_look_like_speech_recognition_and_some_roll() -> None:
    texts = [to_vtt(s, v.random(Stream.CAPTIONS)) for v, s in zip(VIDEOS, SPOKEN, strict=True)]
    shares = {style: count / len(texts) for style, count in collections.Counter(map(style_of, texts)).items()}
    assert shares["bare"] == pytest.approx(1 / 3, abs=0.08)
    assert shares["rolling"] == pytest.approx(1 / 6, abs=0.06)
    bare = styled("bare")[2].split("\n", 1)[1]
    assert not re.search(r"[A-Z,.!?]", re.sub(r"\d\d\.\d", "", bare))


def test_narration_is_a_function_of_the_video() -> None:
    assert narrate(VIDEOS[3]) == SPOKEN[3]
    assert to_vtt(SPOKEN[3], VIDEOS[3].random(Stream.CAPTIONS)) == to_vtt(SPOKEN[3], VIDEOS[3].random(Stream.CAPTIONS))
    assert to_vtt([], np.random.default_rng(0)).startswith("WEBVTT")
