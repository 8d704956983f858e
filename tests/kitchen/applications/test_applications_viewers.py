"""Viewers: order in time, skewed popularity, new items, and taste that content explains far better than popularity."""

import collections
import itertools

import numpy as np
import pytest

from videobert_jax.kitchen.applications import viewers
from videobert_jax.kitchen.applications.plan import PLACES, SPLITS, TOOLS, Settings, Video
from videobert_jax.kitchen.applications.shorts import plan_shorts
from videobert_jax.kitchen.applications.viewers import FOOD_GROUPS, GROUPS, View, watch
from videobert_jax.kitchen.objects import OBJECTS

SETTINGS = Settings()
SHORTS = plan_shorts(SETTINGS)
VIEWS = list(watch(SHORTS, SETTINGS.viewers, SETTINGS.seed))
PLACE = {video.name: place for place, video in enumerate(SHORTS)}


def items_of(split: str) -> dict[int, list[int]]:
    """The videos of each viewer in a split, by their places."""
    found: dict[int, list[int]] = collections.defaultdict(list)
    for view in VIEWS:
        if view.split == split:
            found[view.user].append(PLACE[view.item])
    return found


def test_every_viewer_watches_ten_to_forty_videos_once_in_order_of_time() -> None:
    histories = [list(views) for _, views in itertools.groupby(VIEWS, lambda view: view.user)]
    assert [history[0].user for history in histories] == list(range(500))
    for history in histories:
        assert 10 <= len(history) <= 40
        assert len({view.item for view in history}) == len(history)
        times = [view.timestamp for view in history]
        assert times == sorted(times)
        assert [view.split for view in history] == sorted((v.split for v in history), key=SPLITS.index)
        assert {view.split for view in history} == set(SPLITS)
    assert View._fields == viewers.COLUMNS


def test_a_few_videos_are_watched_by_many() -> None:
    counts = sorted(collections.Counter(view.item for view in VIEWS).values(), reverse=True)
    assert sum(counts[:50]) / len(VIEWS) > 0.2  # a twentieth of the videos
    assert counts[0] > 10 * np.median(counts)


def test_a_part_of_the_testing_items_is_new() -> None:
    known = {item for items in items_of("training").values() for item in items}
    known |= {item for items in items_of("validation").values() for item in items}
    tested = [item for items in items_of("testing").values() for item in items]
    assert np.mean([item not in known for item in tested]) == pytest.approx(0.4, abs=0.06)


def test_content_recommends_at_least_twice_as_well_as_popularity() -> None:
    seen, relevant = items_of("training"), items_of("testing")
    popularity = np.bincount([item for items in seen.values() for item in items], minlength=len(SHORTS)) + 0.5
    attributes = np.array([attributes_of(video) for video in SHORTS], float)
    usual = attributes.mean(axis=0)

    def by_content(user: int) -> np.ndarray:
        """How much more often than usual each attribute occurs in what the viewer has watched."""
        rate = (attributes[seen[user]].sum(axis=0) + 2 * usual) / (len(seen[user]) + 2)
        return attributes @ np.log(rate / usual)

    content = np.mean([ndcg(by_content(user), seen[user], relevant[user]) for user in relevant])
    popular = np.mean([ndcg(popularity, seen[user], relevant[user]) for user in relevant])
    assert content >= 2 * popular
    assert popular > 0.02  # it is better than chance, though


def attributes_of(video: Video) -> list[bool]:
    chapter = video.chapters[0]
    groups = {GROUPS[step.object] for step in video.steps}
    verbs = {step.verb for step in video.steps}
    good = chapter.outcome.good
    return [
        *(group in groups for group in FOOD_GROUPS), *(verb in verbs for verb in TOOLS),
        *(place == chapter.surroundings.place for place in PLACES), good, not good,
    ]  # fmt: skip


def ndcg(scores: np.ndarray, seen: list[int], relevant: list[int], k: int = 10) -> float:
    ranked = np.argsort(-np.where(np.isin(np.arange(len(scores)), seen), -np.inf, scores), kind="stable")[:k]
    gains = 1 / np.log2(np.arange(2, k + 2))
    return float(gains[np.isin(ranked, relevant)].sum() / gains[: len(relevant)].sum())


def test_every_food_belongs_to_a_group() -> None:
    assert sorted(GROUPS) == sorted(OBJECTS)


def test_histories_depend_on_the_seed_and_not_on_the_number_of_viewers() -> None:
    assert list(watch(SHORTS, 3, 0)) == [view for view in VIEWS if view.user < 3]
    assert list(watch(SHORTS, 3, 1)) != [view for view in VIEWS if view.user < 3]
