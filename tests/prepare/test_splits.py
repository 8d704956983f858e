"""Which videos are held out."""

import itertools

import pytest

from videobert_jax.formats.annotations import Annotation
from videobert_jax.prepare.splits import split_videos

NAMES = [f"video{index}" for index in range(200)]


def test_annotations_decide_about_the_split() -> None:
    annotations = {"video3": Annotation("validation", ()), "video5": Annotation("train", ())}
    splits = split_videos(NAMES, annotations, 0.5)
    assert splits["validation"] == ["video3"]
    assert splits["train"] == sorted(set(NAMES) - {"video3"})


def test_without_annotations_a_hash_decides_and_stays() -> None:
    splits = split_videos(NAMES, {}, 0.1)
    assert 10 <= len(splits["validation"]) <= 30
    assert split_videos(NAMES[:20], {}, 0.1)["validation"] == ["video0", "video12", "video8"]  # in every process
    fewer = split_videos(NAMES[:100], {}, 0.1)
    assert fewer["validation"] == sorted(set(splits["validation"]) & set(NAMES[:100]))


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_either_side_has_a_video(fraction: float) -> None:
    splits = split_videos(["a", "b"], {}, fraction)
    assert [len(videos) for videos in splits.values()] == [1, 1]
    everything = {name: Annotation("validation", ()) for name in NAMES}
    assert 0 < len(split_videos(NAMES, everything, 0.1)["validation"]) < 200


def test_videos_to_test_with_are_in_no_other_split() -> None:
    tests = {name: Annotation("test", ()) for name in NAMES[:50]}
    splits = split_videos(NAMES, tests, 0.1)
    assert splits["test"] == sorted(tests)
    assert splits["validation"] == split_videos(NAMES[50:], {}, 0.1)["validation"]
    assert sorted(itertools.chain(*splits.values())) == sorted(NAMES)
    named = {**tests, "video77": Annotation("validation", ())}
    assert split_videos(NAMES, named, 0.1)["validation"] == ["video77"]
    assert split_videos(["a", "b"], {"b": Annotation("test", ())}, 0.1) == {
        "train": ["a"],
        "validation": ["a"],
        "test": ["b"],
    }


def test_one_video_is_on_both_sides() -> None:
    assert split_videos(["a"], {"a": Annotation("train", ())}, 0.1) == {"train": ["a"], "validation": ["a"]}
