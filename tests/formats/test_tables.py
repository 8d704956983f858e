"""Captions in CSV files: for retrieval in YouCook2 and MSR-VTT, and Kinetics' labels."""

import json
import math
import pathlib

import pytest

from videobert_jax.errors import FormatError
from videobert_jax.formats.annotations import Annotation, Caption
from videobert_jax.formats.recognise import annotation_files, read_annotations

KINETICS = "label,youtube_id,time_start,time_end,split,is_cc\n"
PEELING = Annotation("train", (Caption("peeling apples", 0.0, 10.0),))


def write(tmp_path: pathlib.Path, table: str | bytes, name: str = "table.csv") -> pathlib.Path:
    path = tmp_path / name
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return path


def test_youcook2_for_retrieval_is_held_out(tmp_path: pathlib.Path) -> None:
    rows = '9.5,7,113,"stir, well",a\r\n3,1,113,cut it,a\r\n1,0,226,peel,b\r\n1,0,226,fry,c\r\n'
    path = write(tmp_path, "End,start, task,text ,video_id\r\n" + rows, "VALIDATION.CSV")
    annotations, problems = read_annotations(path, ["a", "b", "d"])
    assert annotations == {
        "a": Annotation("validation", (Caption("cut it", 1.0, 3.0), Caption("stir, well", 7.0, 9.5))),
        "b": Annotation("validation", (Caption("peel", 0.0, 1.0),)),
    }
    assert problems == []


def test_msrvtt_for_retrieval_is_held_out_and_about_whole_clips(tmp_path: pathlib.Path) -> None:
    table = "key,vid_key,video_id,sentence\nret0,msr9770,video9770,a person cuts an onion\nret1,msr1,video1,no\n"
    path = write(tmp_path, table, "MSRVTT_JSFUSION_test.csv")
    caption = Caption("a person cuts an onion", 0.0, math.inf)
    assert read_annotations(path, ["video9770"]) == ({"video9770": Annotation("validation", (caption,))}, [])


def test_msrvtt_for_retrieval_overrules_the_test_split(tmp_path: pathlib.Path) -> None:
    videos = [{"video_id": f"video{n}", "split": "test", "start time": 0, "end time": 9} for n in range(2)]
    sentences = [{"video_id": f"video{n}", "caption": "one of twenty"} for n in range(2)]
    write(tmp_path, json.dumps({"videos": videos, "sentences": sentences}), "MSRVTT_data.json")
    write(tmp_path, "key,vid_key,video_id,sentence\nret0,msr1,video1,the one\n", "MSRVTT_JSFUSION_test.csv")
    annotations, problems = read_annotations(tmp_path, ["video0", "video1"])
    assert annotations["video1"] == Annotation("validation", (Caption("the one", 0.0, math.inf),))
    assert annotations["video0"] == Annotation("test", (Caption("one of twenty", 0.0, 9.0),))
    assert not problems


def test_a_label_of_kinetics_is_the_caption_of_the_clips_own_file(tmp_path: pathlib.Path) -> None:
    rows = 'peeling apples,-ab_1,7,17,train,0\n"tap, dance",b,100,110.0,val,1\nfrying,b,3,13,validate,0\n'
    path = write(tmp_path, "\ufeff" + KINETICS + rows)
    assert read_annotations(path, ["-ab_1_000007_000017", "b_000100_000110", "b_000003_000013", "c"]) == (
        {
            "-ab_1_000007_000017": PEELING,
            "b_000100_000110": Annotation("validation", (Caption("tap, dance", 0.0, 10.0),)),
            "b_000003_000013": Annotation("validation", (Caption("frying", 0.0, 10.0),)),
        },
        [],
    )


def test_labels_of_kinetics_may_be_of_the_seconds_of_a_whole_video(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, KINETICS + "frying,b,3,13.5,test,0\npeeling,b,20,22,test,0\n")
    captions = (Caption("frying", 3.0, 13.5), Caption("peeling", 20.0, 22.0))
    assert read_annotations(path, ["b"]) == ({"b": Annotation("test", captions)}, [])


def test_the_test_split_of_kinetics_may_have_no_labels(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "youtube_id,time_start,time_end,split\na,7,17,test\n")
    annotations, (problem,) = read_annotations(path, ["a_000007_000017"])
    assert annotations == {"a_000007_000017": Annotation("test", ())}
    assert problem.item.endswith("line 2")


@pytest.mark.parametrize(
    "row", ["peeling apples,b", "x,b,one,2,train,0", "x,b,1,,train,0", "x,b,1,inf,train", ",b,0,1,train"]
)
def test_a_bad_row_of_kinetics_costs_no_other(tmp_path: pathlib.Path, row: str) -> None:
    path = write(tmp_path, f"{KINETICS}\n{row}\npeeling apples,a,7,17,train,0\n")
    annotations, (problem,) = read_annotations(path, ["a_000007_000017", "b_000000_000001", "b_000001_000inf"])
    assert annotations["a_000007_000017"] == PEELING
    assert (problem.item, problem.reason[:10]) == ("table.csv, line 3", "unusable: ")


@pytest.mark.parametrize("row", ["1,2,,cut,a", "x,1,,cut,a", "3,1,, ,a", "inf,1,,cut,a", "nan,1,,cut,a"])
def test_a_bad_row_of_youcook2_for_retrieval_costs_no_other(tmp_path: pathlib.Path, row: str) -> None:
    path = write(tmp_path, f"end,start,task,text,video_id\n{row}\n2,1,,stir,a\nx,x,,no,another\n")
    annotations, (problem,) = read_annotations(path, ["a"])
    assert annotations == {"a": Annotation("validation", (Caption("stir", 1.0, 2.0),))}
    assert problem.item == "table.csv, line 2"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", r"is not a table of YouCook2's for retrieval, MSR-VTT's 1k-A, Kinetics': its columns are ; name another"),
        ("video_id,rank\n", ".*its columns are rank, video_id; name another file with --config.data.annotations"),
        (KINETICS + "x,a,7,17,train,0\n" + "x" * 140_000, "cannot be read after line 3: field larger than"),
        (KINETICS.encode() + b"caf\xe9,b,1,2,train,0\n", "cannot be read after line 0: .*utf-8"),
    ],
)
def test_a_table_of_no_known_kind_is_an_error(tmp_path: pathlib.Path, table: str | bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"table\.csv {reason}"):
        read_annotations(write(tmp_path, table), ["a"])


def test_a_folder_leaves_out_a_table_of_no_known_kind(tmp_path: pathlib.Path) -> None:
    """Beside YouCook2's captions lies one of lengths, without a line of names."""
    write(tmp_path, "a,455.02,10908\nb,46.0,1377\n", "lengths.csv")
    write(tmp_path, "end,start,task,text,video_id\n2,1,,stir,a\n", "validation_youcook.csv")
    annotations, (problem,) = read_annotations(tmp_path, ["a"])
    assert annotations == {"a": Annotation("validation", (Caption("stir", 1.0, 2.0),))}
    assert (problem.item, problem.reason[:17]) == ("lengths.csv", "is not a table of")


def test_a_folder_of_json_and_tables_is_read_as_one(tmp_path: pathlib.Path) -> None:
    names = ["val.csv", "train.CSV", "captions.json", "readme.txt", ".captions.json"]
    for name in names:
        write(tmp_path, "", name)
    assert [path.name for path in annotation_files(tmp_path)] == ["captions.json", "train.CSV", "val.csv"]
    assert annotation_files(tmp_path / "val.csv") == [tmp_path / "val.csv"]


def test_a_row_of_another_split_than_its_videos_is_left_out(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, KINETICS + "frying,b,3,13.5,train,0\npeeling,b,20,22,test,0\n")
    annotations, (problem,) = read_annotations(path, ["b"])
    assert annotations == {"b": Annotation("train", (Caption("frying", 3.0, 13.5),))}
    assert problem.item.endswith("line 3")
    assert "'test', but an earlier line" in problem.reason


def test_a_folder_with_the_name_of_a_table_is_no_table(tmp_path: pathlib.Path) -> None:
    (tmp_path / "other.csv").mkdir()
    write(tmp_path, KINETICS + "frying,b,3,13.5,train,0\n")
    annotations, problems = read_annotations(tmp_path, ["b"])
    assert list(annotations) == ["b"]
    assert not problems
