"""Reading ground truth, and which videos are held out."""

import json
import pathlib

import pytest

from videobert_jax.prepare.annotations import Annotation, Caption, read_annotations
from videobert_jax.prepare.splits import split_videos


def entry(subset: object, *items: object) -> dict[str, object]:
    return {"duration": 9.0, "subset": subset, "annotations": list(items)}


def item(start: object, end: object, sentence: object = "cut the apple") -> dict[str, object]:
    return {"id": 0, "segment": [start, end], "sentence": sentence}


def write(tmp_path: pathlib.Path, database: object) -> pathlib.Path:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"database": database}))
    return path


def test_captions_are_read_in_the_order_of_time(tmp_path: pathlib.Path) -> None:
    path = write(
        tmp_path, {"a": entry("training", item(5, 7, " stir "), item(1, 3)), "b": entry("validation"), "c": {}}
    )
    annotations, problems = read_annotations(path, ["a", "b", "unnamed"])
    assert annotations == {
        "a": Annotation("train", (Caption("cut the apple", 1.0, 3.0), Caption("stir", 5.0, 7.0))),
        "b": Annotation("validation", ()),
    }
    assert problems == []


@pytest.mark.parametrize(
    "bad",
    [
        item(3, 1),
        item(2, 2),
        item(-1, 2),
        item("x", 2),
        item(0, None),
        item(0, 1e999),
        item(0, 1, 7),
        item(0, 1, " "),
        item(0, 10**400),
        item(0, 1, "half a \ud83d"),
        {},
        3,
    ],
)
def test_a_bad_caption_is_a_problem_and_the_others_stay(tmp_path: pathlib.Path, bad: object) -> None:
    annotations, (problem,) = read_annotations(write(tmp_path, {"a": entry("training", bad, item(1, 2))}), ["a"])
    assert len(annotations["a"].captions) == 1
    assert problem.item == "a, caption 0"


@pytest.mark.parametrize("subset", ["testing", ["training"], {}, None])
def test_another_subset_is_not_used(tmp_path: pathlib.Path, subset: object) -> None:
    annotations, (problem,) = read_annotations(write(tmp_path, {"a": entry(subset, item(1, 2))}), ["a"])
    assert annotations["a"].split is None
    assert f"{subset!r} is neither training nor validation" in problem.reason


def test_a_byte_order_mark_is_accepted(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, {"a": entry("training")})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_annotations(path, ["a"]) == ({"a": Annotation("train", ())}, [])


DEEP, LONG = "[" * 100_000, "9" * 5000  # deeper, and with more digits, than Python reads


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"database": {"a": {}}}', '{"database": {"a": 3}}', "\xff", DEEP, LONG]
)
def test_another_schema_is_an_error(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"annotations\.json is not of YouCook2's schema"):
        read_annotations(path, ["a"])


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


def test_one_video_is_on_both_sides() -> None:
    assert split_videos(["a"], {"a": Annotation("train", ())}, 0.1) == {"train": ["a"], "validation": ["a"]}
