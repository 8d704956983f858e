"""The plans: splits, balance, agreement of picture and speech, rare events, chapters."""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Hashable

import numpy as np
import pytest

from videobert_jax.kitchen.applications.longs import plan_longs
from videobert_jax.kitchen.applications.plan import (
    ANNOYED,
    COLORS,
    FINGERS,
    FIRE,
    GLASS,
    ITEMS,
    KNIFE,
    PLACES,
    PLEASED,
    SPLITS,
    TOOLS,
    Deck,
    Settings,
    Surroundings,
    Video,
)
from videobert_jax.kitchen.applications.shorts import plan_shorts
from videobert_jax.kitchen.objects import OBJECTS
from videobert_jax.kitchen.recipes import held_out_pairs

SETTINGS = Settings()
SHORTS, LONGS = plan_shorts(SETTINGS), plan_longs(SETTINGS)
UNSEEN = held_out_pairs(SETTINGS.seed)


def of(split: str, videos: tuple[Video, ...] = SHORTS) -> list[Video]:
    return [video for video in videos if video.split == split]


def around(video: Video) -> Surroundings:
    return video.chapters[0].surroundings


def test_a_deck_deals_every_card_equally_often_and_skips_what_does_not_fit() -> None:
    deck = Deck("abcd", np.random.default_rng(0))
    assert collections.Counter(deck.deal() for _ in range(40)) == dict.fromkeys("abcd", 10)
    assert [deck.deal(lambda card: card == "b") for _ in range(3)] == ["b", "b", "b"]
    rest = collections.Counter(deck.deal() for _ in range(9))
    assert rest == {"a": 3, "c": 3, "d": 3}  # those that did not fit have stayed


def test_the_splits_have_their_shares() -> None:
    assert [len(of(split)) for split in SPLITS] == [700, 150, 150]
    assert [len(of(split, LONGS)) for split in SPLITS] == [16, 4, 4]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("cards", "read"),
    [
        (tuple(TOOLS), lambda video: [step.verb for step in video.steps]),
        (OBJECTS, lambda video: [step.object for step in video.steps]),
        (OBJECTS, lambda video: around(video).others),
        (PLACES, lambda video: [around(video).place]),
        (COLORS, lambda video: [around(video).mat]),
        (COLORS, lambda video: [around(video).sleeve]),
        (ITEMS, lambda video: [around(video).item]),
        ((1, 2, 3, 4, 5), lambda video: [around(video).number]),
    ],
)
def test_labels_are_balanced(split: str, cards: tuple[Hashable, ...], read: Callable[[Video], list[Hashable]]) -> None:
    counts = collections.Counter(card for video in of(split) for card in read(video))
    assert set(counts) == set(cards)
    assert max(counts.values()) / counts.total() < 1.25 / len(cards)
    assert min(counts.values()) / counts.total() > 0.75 / len(cards)


def test_both_tools_of_a_verb_are_used() -> None:
    counts = collections.Counter((step.verb, step.tool) for video in SHORTS for step in video.steps)
    assert set(counts) == {(verb, tool) for verb, tools in TOOLS.items() for tool in tools}
    for verb, tools in TOOLS.items():
        assert max(counts[verb, tool] for tool in tools) - min(counts[verb, tool] for tool in tools) < 4


def test_held_out_pairs_are_half_of_validation_and_of_testing_and_never_trained_on() -> None:
    for split in SPLITS:
        shares = [np.mean([(step.verb, step.object) in UNSEEN for step in video.steps]) for video in of(split)]
        assert set(shares) <= {0.0, 1.0}  # all steps of a short video or none, so that the parts can be told apart
        assert np.mean(shares) == (0.0 if split == "training" else 0.5)
        steps = [(step.verb, step.object) in UNSEEN for video in of(split, LONGS) for step in video.steps]
        assert np.mean(steps) == pytest.approx(
            0.0 if split == "training" else 0.5, abs=0.0 if split == "training" else 0.06
        )


@pytest.mark.parametrize("split", SPLITS)
def test_picture_and_speech_agree_in_four_fifths_so_that_neither_tells_the_sentiment(split: str) -> None:
    spoken = [video for video in of(split) if video.speech != "silent"]
    counts = collections.Counter(video.sentiment for video in spoken)
    assert counts["mixed"] / len(spoken) == pytest.approx(0.2, abs=0.02)
    assert counts["good"] / len(spoken) == pytest.approx(0.4, abs=0.02)
    assert counts["bad"] / len(spoken) == pytest.approx(0.4, abs=0.02)
    for good, tone in ((True, PLEASED), (False, ANNOYED)):
        shown = [video for video in spoken if video.chapters[0].outcome.good == good]
        said = [video for video in spoken if video.tone == tone]
        for half in (shown, said):
            assert np.mean([video.sentiment == "mixed" for video in half]) == pytest.approx(0.2, abs=0.04)


def test_a_twentieth_is_silent_and_half_of_the_others_name_nothing() -> None:
    for split in SPLITS:
        counts = collections.Counter(video.speech for video in of(split))
        assert counts["silent"] / counts.total() == pytest.approx(0.05, abs=0.015)
        assert counts["named"] == pytest.approx(counts["chatter"], rel=0.1)
        assert all(not video.sentiment and not video.tone for video in of(split) if video.speech == "silent")


def test_the_timeline_of_short_videos() -> None:
    assert {len(video.steps) for video in SHORTS} == {1, 2}
    assert np.mean([len(video.steps) == 2 for video in SHORTS]) == pytest.approx(0.3, abs=0.01)
    for video in SHORTS:
        outcome = video.chapters[0].outcome
        times = [0.0, *(time for step in video.steps for time in (step.start, step.end)), outcome.start, outcome.end]
        assert times == sorted(times)
        assert 6 <= video.duration <= 12
        assert outcome.end == video.duration
        assert outcome.end - outcome.start >= 2.5
        assert outcome.object == video.steps[-1].object
        assert not {step.object for step in video.steps} & set(around(video).others)
        if len(video.steps) == 2:
            first, second = video.steps
            assert first.verb != second.verb
            assert first.object != second.object


def test_unsafe_acts_are_rare_and_of_every_kind_in_every_split() -> None:
    assert np.mean([bool(video.hazards) for video in SHORTS]) == pytest.approx(0.08, abs=0.015)
    for split in SPLITS:
        counts = collections.Counter(hazard.kind for video in of(split) for hazard in video.hazards)
        assert set(counts) == {FINGERS, FIRE, KNIFE, GLASS}
        assert min(counts.values()) >= 2
        counts = collections.Counter(hazard.kind for video in of(split, LONGS) for hazard in video.hazards)
        assert set(counts) == {FINGERS, FIRE, KNIFE, GLASS}
        assert counts.total() == (16 if split == "training" else 8)
        assert sum(bool(video.hazards) for video in of(split, LONGS)) * 2 == len(of(split, LONGS))
    for video in (*SHORTS, *LONGS):
        for hazard in video.hazards:
            step = next(step for step in video.steps if step.start <= hazard.start < step.end)
            assert hazard.end - hazard.start >= 1.3
            assert hazard.end <= step.end
            assert {FINGERS: "cut", FIRE: "fry"}.get(hazard.kind, step.verb) == step.verb


def test_long_videos_have_chapters_of_many_steps() -> None:
    for video in LONGS:
        assert 300 <= video.duration <= 600
        assert video.duration % 2 == 0  # whole clips of QVHighlights
        assert 3 <= len(video.chapters) <= 7
        assert len({chapter.title for chapter in video.chapters}) >= len(video.chapters) - 1
        borders = [0.0, *(chapter.end for chapter in video.chapters)]
        assert [(chapter.start, chapter.end) for chapter in video.chapters] == list(itertools.pairwise(borders))
        assert borders[-1] == video.duration
        assert {chapter.surroundings.sleeve for chapter in video.chapters} == {around(video).sleeve}
        for chapter in video.chapters:
            assert len(chapter.steps) >= 3
            times = [chapter.start, *(time for step in chapter.steps for time in (step.start, step.end))]
            assert [*times, chapter.outcome.start, chapter.outcome.end, chapter.end] == sorted(
                [*times, chapter.outcome.start, chapter.outcome.end, chapter.end]
            )
            for step in chapter.steps:
                assert 6.9 <= step.end - step.start <= 16.1
                assert step.close
                assert step.start < step.close[0] < step.close[1] <= step.end
        pairs = collections.Counter((step.verb, step.object) for step in video.steps)
        assert max(pairs.values()) > 1  # some moments occur again


def test_a_title_says_what_is_done_most() -> None:
    words = {"peeled": "peel", "slaw": "grate", "soup": "stir", "fried": "fry", "puree": "mash", "salad": "cut",
             "sauce": "pour", "fresh": "wash"}  # fmt: skip
    for chapter in (chapter for video in LONGS for chapter in video.chapters):
        title = chapter.title.lower().split()
        pairs = collections.Counter((step.verb, step.object) for step in chapter.steps)
        if "beginners" in title:
            assert len({verb for verb, _ in pairs}) == 1
        else:
            food, verb = (next(name for name in names if name in title) for names in (OBJECTS, words))
            assert pairs[words[verb], food] >= 1
            assert chapter.steps[0].verb == words[verb]


def test_a_plan_depends_on_the_seed_and_not_on_the_number_of_videos() -> None:
    few = dataclasses.replace(SETTINGS, short=30, long=3)
    assert plan_shorts(few) == SHORTS[:30]
    assert plan_longs(few) == LONGS[:3]
    other = dataclasses.replace(few, seed=1)
    assert all(a.steps != b.steps for a, b in zip(plan_shorts(other), SHORTS, strict=False))
    assert all(a.steps != b.steps for a, b in zip(plan_longs(other), LONGS, strict=False))
