"""Merging the annotations of several files."""

import itertools

import pytest

from videobert_jax.formats.annotations import Annotation, Caption, CollectedAnnotations, caption, merged
from videobert_jax.formats.problems import Problem


def file(split: object, *segments: tuple[float, float], text: str = "stir") -> CollectedAnnotations:
    """Returns the annotations of a file that names the video "a"."""
    found = CollectedAnnotations()
    found.place("a", split)
    found.captions["a"] = [Caption(text, *segment) for segment in segments]
    return found


def captions_of(*files: CollectedAnnotations) -> tuple[Caption, ...]:
    annotations, problems = merged(files)
    assert problems == []
    return annotations["a"].captions


def test_captions_of_several_files_are_in_the_order_of_time() -> None:
    later, sooner = file("val", (5, 6), (1, 3)), file("validate", (1, 2), text="cut")
    expected = (Caption("cut", 1, 2), Caption("stir", 1, 3), Caption("stir", 5, 6))
    assert captions_of(later, sooner) == captions_of(sooner, later) == expected


def test_a_caption_of_two_files_counts_once_but_two_people_may_say_the_same() -> None:
    assert captions_of(file("val", (1, 2), (1, 2))) == (Caption("stir", 1, 2),) * 2
    assert captions_of(file("val", (1, 2), (1, 2)), file("val", (3, 4), (1, 2))) == (
        *(Caption("stir", 1, 2),) * 2,
        Caption("stir", 3, 4),
    )


def test_a_file_that_does_not_use_a_video_or_only_tests_with_it_yields() -> None:
    for files in itertools.permutations([file("test", (1, 2)), file("val", (3, 4)), file(None)]):
        assert captions_of(*files) == (Caption("stir", 3, 4),)
        assert merged(files)[0]["a"].split == "validation"
    assert merged([file(None), file("testing", (1, 2))]) == ({"a": Annotation("test", (Caption("stir", 1, 2),))}, [])


def test_a_video_on_both_sides_is_not_used() -> None:
    for files in itertools.permutations([file("train", (1, 2)), file("val", (3, 4)), file("train", (5, 6))]):
        annotations, (problem,) = merged(files)
        assert annotations == {"a": Annotation(None, ())}
        reason = "one file has it as train, another as validation: the video is not used"
        assert problem == Problem("a", "annotations", reason)


@pytest.mark.parametrize("split", ["tests", "Train", ["train"], {}, None])
def test_a_video_of_another_split_is_not_used(split: object) -> None:
    annotations, (problem,) = merged([file(split, (1, 2)), file("unknown")])
    assert annotations == {"a": Annotation(None, ())}
    assert problem.reason == (
        f"split {split!r} is not one of train, training, val, validate, validation, test, testing: "
        "the video is not used"
    )


def test_what_a_file_says_first_about_a_split_counts() -> None:
    found = CollectedAnnotations()
    for split in ("training", "test", "val"):
        found.place("a", split)
    assert merged([found]) == ({"a": Annotation("train", ())}, [])


def test_a_caption_of_the_whole_video_lasts_for_ever() -> None:
    assert caption(" cut it ", None) == Caption("cut it", 0.0, float("inf"))
    with pytest.raises(ValueError, match="expected 0 <= start < end"):
        caption("cut it", (0, float("inf")))
