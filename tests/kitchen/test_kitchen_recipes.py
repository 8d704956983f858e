"""The plan of the videos: pairs, split, balance, timeline."""

import collections
import dataclasses

import numpy as np
import pytest

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen.actions import VERBS
from videobert_jax.kitchen.objects import OBJECTS
from videobert_jax.kitchen.recipes import Step, held_out_pairs, pair_groups, plan_videos

CONFIG = KitchenConfig()


def steps_of(subset: str, config: KitchenConfig = CONFIG) -> list[Step]:
    return [step for video in plan_videos(config) if video.subset == subset for step in video.steps]


def test_there_are_enough_verbs_and_objects_of_one_word_each() -> None:
    assert len(set(VERBS)) == 8
    assert len(set(OBJECTS)) == 12
    assert all(word.isalpha() and word.islower() for word in (*VERBS, *OBJECTS))


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_each_group_of_pairs_holds_every_verb_and_object_equally_often(seed: int) -> None:
    groups = pair_groups(seed)
    assert sorted(pair for group in groups for pair in group) == sorted((v, o) for v in VERBS for o in OBJECTS)
    for group in groups:
        assert set(collections.Counter(verb for verb, _ in group).values()) == {3}
        assert set(collections.Counter(name for _, name in group).values()) == {2}


def test_held_out_pairs_are_never_shown_in_training_and_all_shown_in_validation() -> None:
    held_out = held_out_pairs(CONFIG.seed)
    training = {(step.verb, step.object) for step in steps_of("training")}
    validation = [(step.verb, step.object) for step in steps_of("validation")]
    assert len(held_out) == 24
    assert not training & held_out
    assert len(training) == 72
    assert held_out <= set(validation)
    assert sum(pair in held_out for pair in validation) / len(validation) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_verbs_and_objects_are_balanced(subset: str) -> None:
    steps = steps_of(subset)
    for words, labels in ((VERBS, [s.verb for s in steps]), (OBJECTS, [s.object for s in steps])):
        counts = collections.Counter(labels)
        assert set(counts) == set(words)
        assert max(counts.values()) / len(steps) < 1.1 / len(words)  # no constant answer beats chance


def test_the_next_step_cannot_be_told_from_the_last() -> None:
    config = KitchenConfig(num_videos=3000)
    follows: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for video in plan_videos(config):
        for step, following in zip(video.steps, video.steps[1:], strict=False):
            follows[step.verb][following.verb] += 1
    for counts in follows.values():
        assert max(counts.values()) / counts.total() < 0.16  # chance: 0.125


def test_the_timeline() -> None:
    for video in plan_videos(CONFIG):
        assert 4 <= len(video.steps) <= 5
        assert 22 <= video.duration <= 37
        ends = [0.0, *(step.end for step in video.steps)]
        starts = [*(step.start for step in video.steps), video.duration]
        assert all(0.4 <= start - end <= 1.6 for end, start in zip(ends, starts, strict=True))
        assert all(4.9 <= step.end - step.start <= 7.1 for step in video.steps)
    assert 27 < np.mean([video.duration for video in plan_videos(CONFIG)]) < 33


def test_validation_videos_are_spread_evenly() -> None:
    subsets = [video.subset for video in plan_videos(CONFIG)]
    assert subsets.count("validation") == 72
    assert all(subsets[start : start + 5].count("validation") == 1 for start in range(0, 360, 5))
    assert not steps_of("validation", KitchenConfig(num_videos=10, validation_fraction=0.0))


def test_a_plan_depends_on_the_seed_and_not_on_the_number_of_videos() -> None:
    few = plan_videos(dataclasses.replace(CONFIG, num_videos=10))
    assert few == plan_videos(CONFIG)[:10]
    other = plan_videos(dataclasses.replace(CONFIG, num_videos=10, seed=1))
    assert all(video.steps[0].start != another.steps[0].start for video, another in zip(few, other, strict=True))
    assert len({video.steps[0].start for video in few}) > 5
