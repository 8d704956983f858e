"""What is said in the applications corpus: names or chatter, a tone, and nothing about what happens."""

import collections
import itertools
import re

import pytest

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen import commentary, recipes
from videobert_jax.kitchen.applications.longs import plan_longs
from videobert_jax.kitchen.applications.plan import ANNOYED, PLEASED, TOOLS, Chapter, Outcome, Settings, Step, Video
from videobert_jax.kitchen.applications.shorts import plan_shorts
from videobert_jax.kitchen.applications.speech import TONES, narrate
from videobert_jax.kitchen.commentary import gerund
from videobert_jax.kitchen.objects import OBJECTS

SHORTS, LONGS = plan_shorts(Settings()), plan_longs(Settings())
SPOKEN = {video.name: narrate(video) for video in (*SHORTS, *LONGS)}
WORK = {*TOOLS, *map(gerund, TOOLS), *OBJECTS}


def words(video: Video) -> list[str]:
    return [word for sentence in SPOKEN[video.name] for word in sentence.text.lower().split()]


def test_speech_is_in_order_and_within_the_video() -> None:
    for video in (*SHORTS, *LONGS):
        sentences = SPOKEN[video.name]
        assert all(a.end <= b.start for a, b in itertools.pairwise(sentences)), video.name
        assert all(0 <= s.start < s.end <= video.duration for s in sentences), video.name


def test_each_video_names_its_work_or_says_nothing_of_it() -> None:
    for video in SHORTS:
        said = set(words(video))
        if video.speech == "silent":
            assert not SPOKEN[video.name]
        elif video.speech == "chatter":
            assert not said & WORK
        else:
            for step in video.steps:
                assert step.object in said, video.name
                assert {step.verb, gerund(step.verb)} & said, video.name
            assert said & WORK <= {word for s in video.steps for word in (s.verb, gerund(s.verb), s.object)}


@pytest.mark.parametrize("tone", [PLEASED, ANNOYED])
def test_every_spoken_short_video_has_its_tone_and_not_the_other(tone: str) -> None:
    patterns = [re.sub(r"\\{\w\\}", r"[a-z ]+", re.escape(line)) for line in TONES[tone]]
    for video in SHORTS:
        heard = [s for s in SPOKEN[video.name] if any(re.fullmatch(pattern, s.text) for pattern in patterns)]
        assert bool(heard) == (video.tone == tone), video.name
        if heard:
            assert heard[-1].end > video.chapters[0].outcome.start


def test_the_lines_of_the_tones_share_most_words_and_do_not_name_what_happens() -> None:
    pleased, annoyed = ({w for line in TONES[tone] for w in line.split()} for tone in (PLEASED, ANNOYED))
    assert len(pleased & annoyed) / min(len(pleased), len(annoyed)) > 0.5
    happens = {"burnt", "spilt", "dropped", "broken", "fire", "smoke", "glass", "knife", "fingers", "blade", "falls"}
    assert not {word for spoken in SPOKEN.values() for s in spoken for word in s.text.split()} & happens
    assert not (pleased | annoyed) & WORK


def test_most_words_are_those_of_the_first_corpus() -> None:
    first = {
        word for v in recipes.plan_videos(KitchenConfig()) for s in commentary.narrate(v) for word in s.text.split()
    }
    counts = collections.Counter(word for spoken in SPOKEN.values() for s in spoken for word in s.text.split())
    assert sum(counts[word] for word in first & counts.keys()) / counts.total() > 0.95


def test_long_videos_name_a_part_of_their_steps() -> None:
    for video in LONGS:
        named = sum(
            any({step.object} & set(s.text.split()) for s in SPOKEN[video.name] if step.start - 1 <= s.start < step.end)
            for step in video.steps
        )
        assert 0.3 < named / len(video.steps) < 0.9
        assert 0.3 < sum(s.end - s.start for s in SPOKEN[video.name]) / video.duration < 0.9


def test_where_there_is_little_time_work_is_named_in_the_shortest_way() -> None:
    step = Step("cut", "onion", 0.2, 1.3, "knife")
    around = SHORTS[0].chapters[0].surroundings
    for index in range(20):
        chapter = Chapter(0.0, 4.5, around, (step,), Outcome("served", "onion", 1.5, 4.5))
        sentences = narrate(Video(0, "short", index, "training", (chapter,), 4.5, tone=PLEASED))
        assert {"cut", "onion"} <= set(sentences[0].text.split())
        assert sentences[0].end < 2.0
        assert all(a.end <= b.start for a, b in itertools.pairwise(sentences))
        assert sentences[-1].end <= 4.5


def test_speech_is_a_function_of_the_video() -> None:
    assert narrate(SHORTS[3]) == SPOKEN[SHORTS[3].name]
