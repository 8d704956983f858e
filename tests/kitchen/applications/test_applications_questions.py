"""Questions: balanced, not to be answered from words alone, in the schema of ActivityNet-QA."""

import collections
import math

import numpy as np
import pytest

from videobert_jax.kitchen.applications.captions import NUMBERS
from videobert_jax.kitchen.applications.plan import SPLITS, Settings
from videobert_jax.kitchen.applications.questions import Asked, Kind, ask
from videobert_jax.kitchen.applications.shorts import plan_shorts
from videobert_jax.kitchen.applications.speech import narrate

SHORTS = plan_shorts(Settings())
ASKED = ask(SHORTS, 0)
VIDEOS = {video.name: video for video in SHORTS}
SPOKEN = {video.name: [w for s in narrate(video) for w in s.text.lower().split()] for video in SHORTS}


def counts_of(split: str) -> dict[str, collections.Counter[str]]:
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for one in ASKED[split]:
        counts[one.question][one.answer] += 1
    return counts


@pytest.mark.parametrize("split", SPLITS)
def test_all_answers_of_a_wording_are_about_equally_frequent(split: str) -> None:
    for question, counts in counts_of(split).items():
        assert len(counts) >= 2, question
        assert max(counts.values()) <= 1.5 * counts.total() / len(counts) + 1, question
        if "yes" in counts:
            assert counts["yes"] == counts["no"], question
            assert set(counts) == {"yes", "no"}


def test_the_answers_are_a_closed_set_and_every_type_is_asked() -> None:
    answers = {split: {one.answer for one in ASKED[split]} for split in SPLITS}
    assert answers["validation"] | answers["testing"] <= answers["training"]
    assert 40 < len(answers["training"]) <= 60
    for split in SPLITS:
        assert {one.kind for one in ASKED[split]} == set(Kind)
        assert len(ASKED[split]) / len({one.video for one in ASKED[split]}) > 4
        assert all(VIDEOS[one.video].split == split for one in ASKED[split])
        assert len(set(ASKED[split])) == len(ASKED[split])


def test_answers_are_true() -> None:
    for one in (one for split in SPLITS for one in ASKED[split]):
        video, words = VIDEOS[one.video], one.question.rstrip("?").split()
        around, shown = video.chapters[0].surroundings, video.steps[-1 if "last" in words else 0]
        if one.kind is Kind.NUMBER:
            assert one.answer == NUMBERS[around.number]
            assert f"{around.item}s" in words
        elif one.kind is Kind.COLOR:
            assert one.answer == (around.mat if "mat" in words else around.sleeve)
        elif one.kind is Kind.LOCATION:
            assert one.answer == around.place
        elif one.kind is Kind.MOTION:
            assert [step.verb for step in video.steps] == [one.answer]
        elif one.question in ("what is it done with?", "which tool is used?"):
            assert [step.tool for step in video.steps] == [one.answer]
        elif one.kind is Kind.OBJECT:
            assert [step.object for step in video.steps] == [one.answer]
        elif words[-1] in ("first", "last"):
            assert one.answer == (shown.object if "food" in words else shown.verb)
        elif "mat" in words:
            assert one.answer == ("yes" if around.mat in words else "no")
        elif "cook" in words:
            assert one.answer == ("yes" if around.place in words else "no")
        elif "there" in words:
            foods = {*around.others, *(step.object for step in video.steps)}
            assert one.answer == ("yes" if foods & set(words) else "no")


def test_steps_before_and_after_are_those_of_two() -> None:
    asked = [one for split in SPLITS for one in ASKED[split] if " before " in one.question or " after " in one.question]
    assert len(asked) > 100
    for one in asked:
        first, second = VIDEOS[one.video].steps
        assert one.answer == (first.verb if " before " in one.question else second.verb)
        other = second if " before " in one.question else first
        assert other.verb[:3] in one.question


def test_speech_never_says_the_answer() -> None:
    for one in (one for split in SPLITS for one in ASKED[split]):
        assert one.answer not in SPOKEN[one.video]


def test_the_commonest_answer_of_a_question_is_rarely_right() -> None:
    training = counts_of("training")
    right = [
        bool(training[one.question]) and one.answer == training[one.question].most_common(1)[0][0]
        for one in ASKED["testing"]
    ]
    assert np.mean(right) < 0.40


def test_question_and_speech_together_do_not_tell_the_answer() -> None:
    """A naive Bayes classifier over the words of both, fitted on training."""
    prior = collections.Counter(one.answer for one in ASKED["training"])
    words: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for one in ASKED["training"]:
        words[one.answer].update(bag(one))
    known = {word for counts in words.values() for word in counts}

    def predict(said: set[str]) -> str:
        def score(answer: str) -> float:
            total = words[answer].total() + len(known)
            return math.log(prior[answer]) + sum(math.log((words[answer][word] + 1) / total) for word in said & known)

        return max(prior, key=score)

    assert np.mean([predict(bag(one)) == one.answer for one in ASKED["testing"]]) < 0.45


def bag(one: Asked) -> set[str]:
    return {*one.question.split(), *(f"said {word}" for word in SPOKEN[one.video])}


def test_only_videos_that_do_not_name_their_work_are_asked_about_it() -> None:
    about = [one for split in SPLITS for one in ASKED[split] if one.kind in (Kind.MOTION, Kind.OBJECT, Kind.TEMPORAL)]
    assert all(VIDEOS[one.video].speech != "named" for one in about)
    assert sum(one.kind is Kind.MOTION for one in ASKED["training"]) > 150
