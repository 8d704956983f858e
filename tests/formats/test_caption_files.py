"""Captions in the JSON formats of YouCook2, MSR-VTT and ActivityNet, and recognising the format."""

import json
import pathlib
from typing import Any

import pytest

from videobert_jax.errors import FormatError
from videobert_jax.formats.annotations import Annotation, Caption
from videobert_jax.formats.recognise import read_annotations


def write(tmp_path: pathlib.Path, content: object, name: str = "annotations.json") -> pathlib.Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), errors="surrogateescape")
    return path


def youcook2(subset: object, *items: object) -> dict[str, object]:
    return {"duration": 9.0, "subset": subset, "annotations": list(items)}


def step(start: object, end: object, sentence: object = "cut the apple") -> dict[str, object]:
    return {"id": 0, "segment": [start, end], "sentence": sentence}


def test_youcook2_captions_are_read_in_the_order_of_time(tmp_path: pathlib.Path) -> None:
    videos = {"a": youcook2("training", step(5, 7, " stir "), step(1, 3)), "b": youcook2("validation"), "c": {}}
    annotations, problems = read_annotations(write(tmp_path, {"database": videos}), ["a", "b", "unnamed"])
    assert annotations == {
        "a": Annotation("train", (Caption("cut the apple", 1.0, 3.0), Caption("stir", 5.0, 7.0))),
        "b": Annotation("validation", ()),
    }
    assert problems == []


BAD_STEPS = [
    *(step(*segment) for segment in [(3, 1), (2, 2), (-1, 2), ("x", 2), (0, None), (0, 1e999), (0, 10**400)]),
    *(step(0, 1, sentence) for sentence in (7, " ", "half a \ud83d")),
    *(
        {},
        3,
        {"sentence": "no segment"},
        {"sentence": "none", "segment": None},
        {"sentence": "3", "segment": [1, 2, 3]},
    ),
]


@pytest.mark.parametrize("bad", BAD_STEPS)
def test_a_bad_caption_of_youcook2_costs_no_other(tmp_path: pathlib.Path, bad: object) -> None:
    content = {"database": {"a": youcook2("training", bad, step(1, 2))}}
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["a"])
    assert annotations["a"].captions == (Caption("cut the apple", 1.0, 2.0),)
    assert (problem.item, problem.reason[:10]) == ("a, caption 0", "unusable: ")


@pytest.mark.parametrize("bad", [{}, 3, [], {"subset": "training"}, {"subset": "training", "annotations": {}}])
def test_a_bad_video_of_youcook2_costs_no_other(tmp_path: pathlib.Path, bad: object) -> None:
    content = {"database": {"a": bad, "b": youcook2("training", step(1, 2))}}
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["a", "b"])
    assert annotations == {"b": Annotation("train", (Caption("cut the apple", 1.0, 2.0),))}
    assert problem.item == "a"
    assert problem.reason.endswith('has no list "annotations"')


def test_the_testing_subset_of_youcook2_is_the_test_split(tmp_path: pathlib.Path) -> None:
    content = {"database": {"a": youcook2("testing")}}
    assert read_annotations(write(tmp_path, content), ["a"]) == ({"a": Annotation("test", ())}, [])


def test_a_byte_order_mark_is_accepted(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, {"database": {"a": youcook2("training")}})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_annotations(path, ["a"]) == ({"a": Annotation("train", ())}, [])


def clip(video_id: object, split: object = "train", **changes: object) -> dict[str, object]:
    return {"id": 0, "video_id": video_id, "split": split, "start time": 10.0, "end time": 22.5, **changes}


def said(video_id: object, caption: object) -> dict[str, object]:
    return {"sen_id": 0, "video_id": video_id, "caption": caption}


def msrvtt(*items: dict[str, object]) -> dict[str, Any]:
    videos = [item for item in items if "caption" not in item]
    return {"info": {}, "videos": videos, "sentences": [item for item in items if "caption" in item]}


def test_msrvtt_captions_are_about_whole_clips(tmp_path: pathlib.Path) -> None:
    content = msrvtt(
        clip("video0"), clip("video1", "validate"), said("video0", "b "), said("video1", "c"), said("video0", "a")
    )
    assert read_annotations(write(tmp_path, content), ["video0", "video1", "video2"]) == (
        {
            "video0": Annotation("train", (Caption("b", 0.0, 12.5), Caption("a", 0.0, 12.5))),
            "video1": Annotation("validation", (Caption("c", 0.0, 12.5),)),
        },
        [],
    )
    assert list(read_annotations(write(tmp_path, content), ["video1"])[0]) == ["video1"]


@pytest.mark.parametrize(
    ("bad", "item"),
    [
        (said("video0", 7), "video0, sentence 0"),
        (said("video0", " "), "video0, sentence 0"),
        (said("video0", "half a \ud83d"), "video0, sentence 0"),
        (said(7, "a"), "sentences, entry 0"),
        (clip(7), "videos, entry 0"),
        ({}, "videos, entry 0"),
    ],
)
def test_a_bad_entry_of_msrvtt_costs_no_other(tmp_path: pathlib.Path, bad: dict[str, object], item: str) -> None:
    content = msrvtt(bad, clip("video0"), said("video0", "good"))
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["video0"])
    assert annotations == {"video0": Annotation("train", (Caption("good", 0.0, 12.5),))}
    assert (problem.item, problem.stage) == (item, "annotations")


@pytest.mark.parametrize("end", [10.0, 3, None, "x", float("nan"), float("inf"), 10**400])
def test_a_clip_of_msrvtt_that_lasts_no_time_has_no_captions(tmp_path: pathlib.Path, end: object) -> None:
    content = msrvtt(clip("video0", **{"end time": end}), said("video0", "a"))
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["video0"])
    assert annotations == {"video0": Annotation("train", ())}
    assert problem.item == "video0, sentence 0"


@pytest.mark.parametrize("split", ["all", None, 7, ["train"]])
def test_other_splits_of_msrvtt_are_not_used(tmp_path: pathlib.Path, split: object) -> None:
    content = msrvtt(clip("video0", split), said("video0", "a"))
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["video0"])
    assert annotations == {"video0": Annotation(None, ())}
    assert f"split {split!r} is not one of train, " in problem.reason


def test_the_first_of_two_entries_of_msrvtt_counts(tmp_path: pathlib.Path) -> None:
    content = msrvtt(clip("video0", "validate"), clip("video0", "train", **{"end time": 99}), said("video0", "a"))
    expected = Annotation("validation", (Caption("a", 0.0, 12.5),))
    assert read_annotations(write(tmp_path, content), ["video0"]) == ({"video0": expected}, [])


def entry(*captions: tuple[object, object], **changes: object) -> dict[str, object]:
    segments, sentences = zip(*captions, strict=True)
    return {"duration": 20.0, "timestamps": segments, "sentences": sentences, **changes}


GOOD = ([1, 3.5], " cut it ")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.json", "train"),
        ("val_1.json", "validation"),
        ("activitynet_VAL.json", "validation"),
        ("test.json", "test"),
        ("latest.json", "train"),
        ("annotations.json", "train"),
    ],
)
def test_activitynet_has_its_split_in_the_name_of_the_file(tmp_path: pathlib.Path, name: str, split: str) -> None:
    path = write(tmp_path, {"v_a": entry(GOOD), "v_b": entry(GOOD)}, name)
    expected = Annotation(split, (Caption("cut it", 1.0, 3.5),))
    assert read_annotations(path, ["a", "v_b", "v_c"]) == ({"a": expected, "v_b": expected}, [])


def test_activitynet_captions_are_in_the_order_of_time_and_end_with_the_video(tmp_path: pathlib.Path) -> None:
    content = {"v_a": entry(([15, 21], "stir"), GOOD)}
    annotations, problems = read_annotations(write(tmp_path, content), ["a"])
    assert annotations["a"].captions == (Caption("cut it", 1.0, 3.5), Caption("stir", 15.0, 20.0))
    assert problems == []
    for unknown in (None, 0, -1.0, "20"):
        content = {"v_a": entry(([15, 21], "stir"), duration=unknown)}
        assert read_annotations(write(tmp_path, content), ["a"])[0]["a"].captions == (Caption("stir", 15.0, 21.0),)


@pytest.mark.parametrize(
    "bad",
    [
        ([3, 1], "x"),
        ([2, 2], "x"),
        ([-1, 2], "x"),
        ([25, 26], "x"),
        ([float("nan"), 2], "x"),
        (["x", 2], "x"),
        ([1], "x"),
        (7, "x"),
        ([0, 10**400], "x"),
        ([1, 2], 7),
        ([1, 2], " "),
        ([1, 2], "half a \ud83d"),
    ],
)
def test_a_bad_caption_of_activitynet_costs_no_other(tmp_path: pathlib.Path, bad: tuple[object, object]) -> None:
    annotations, (problem,) = read_annotations(write(tmp_path, {"v_a": entry(bad, GOOD)}), ["a"])
    assert annotations["a"].captions == (Caption("cut it", 1.0, 3.5),)
    assert (problem.item, problem.reason[:10]) == ("annotations.json, v_a, caption 0", "unusable: ")


@pytest.mark.parametrize("bad", [7, {}, {"timestamps": 7, "sentences": []}])
def test_a_bad_video_of_activitynet_costs_no_other(tmp_path: pathlib.Path, bad: object) -> None:
    content = {"v_a": entry(GOOD), "v_b": bad}
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["a", "b"])
    assert [len(annotations[name].captions) for name in "ab"] == [1, 0]
    assert problem.item == "annotations.json, v_b"


def test_activitynet_sentences_without_times_are_reported(tmp_path: pathlib.Path) -> None:
    content = {"v_a": entry(GOOD, sentences=["cut it", "stir"])}
    annotations, (problem,) = read_annotations(write(tmp_path, content), ["a"])
    assert len(annotations["a"].captions) == 1
    assert problem.reason.startswith("1 timestamps for 2 sentences")


def test_a_folder_of_files_is_read_as_one(tmp_path: pathlib.Path) -> None:
    write(tmp_path, {"v_a": entry(GOOD), "v_c": entry(GOOD)}, "anet/train.json")
    write(tmp_path, {"v_b": entry(GOOD), "v_c": entry(GOOD)}, "anet/val_1.json")
    folder = write(tmp_path, {"v_b": entry(([0, 2], "peel"))}, "anet/val_2.json").parent
    annotations, (problem,) = read_annotations(folder, ["a", "b", "c"])
    assert {name: annotation.split for name, annotation in annotations.items()} == {
        "a": "train",
        "b": "validation",
        "c": None,
    }
    assert [caption.text for caption in annotations["b"].captions] == ["peel", "cut it"]
    assert (problem.item, problem.reason) == (
        "c",
        "one file has it as train, another as validation: the video is not used",
    )


def test_an_empty_folder_of_annotations_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FormatError, match=r"holds no annotations; name another with --config\.data\.annotations"):
        read_annotations(tmp_path, ["a"])


def test_of_a_folder_files_of_other_formats_are_left_out(tmp_path: pathlib.Path) -> None:
    """ActivityNet's archive also has lists of ids; given alone, such a file is rejected."""
    (tmp_path / "train_ids.json").write_text('["v_a"]')
    with pytest.raises(FormatError, match=r"holds no annotations; train_ids\.json does not have the schema of"):
        read_annotations(tmp_path, ["a"])
    with pytest.raises(FormatError, match=r"train_ids\.json does not have the schema of .*; name another file"):
        read_annotations(tmp_path / "train_ids.json", ["a"])
    entry = {"duration": 10**400, "timestamps": [[0, 2]], "sentences": ["chop"]}
    (tmp_path / "train.json").write_text(json.dumps({"v_a": entry}))
    annotations, (problem,) = read_annotations(tmp_path, ["a"])
    assert [caption.end for caption in annotations["a"].captions] == [2.0]
    assert (problem.item, problem.stage) == ("train_ids.json", "annotations")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", r"annotations\.json is not valid JSON \(JSONDecodeError: .*line 1 column 1"),
        ("[" * 100_000, r"annotations\.json is not valid JSON \(RecursionError"),
        ("[]", r"annotations\.json does not have the schema of YouCook2, MSR-VTT or ActivityNet"),
        ("{}", "does not have the schema of"),
        ('{"v_a": 7}', "does not have the schema of"),
        ('{"v_a": {"start": [1], "end": [2], "text": ["captions of HowTo100M"]}}', "does not have the schema of"),
        ('{"videos": [], "sentences": 7}', "does not have the schema of"),
        ('{"database": []}', "does not have the schema of"),
        ('{"a": ' + "9" * 5000, r"annotations\.json is not valid JSON \(ValueError"),
        ("\udcff", r"annotations\.json is not valid JSON \(UnicodeDecodeError"),
    ],
)
def test_annotations_of_no_known_schema_are_an_error(tmp_path: pathlib.Path, content: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read_annotations(write(tmp_path, content), ["a", "database"])
