"""The tables of Kinetics."""

import pathlib

import pytest

from videobert_jax.prepare.formats import FormatError
from videobert_jax.prepare.formats.labels import Label, read_kinetics

HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"
GOOD = "peeling apples,-abc_1,7,17,train,0\n"
LABEL = Label("-abc_1", "peeling apples", 7.0, 17.0)


def write(tmp_path: pathlib.Path, table: str | bytes) -> pathlib.Path:
    path = tmp_path / "train.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return path


def test_kinetics_labels_and_the_names_of_their_clips(tmp_path: pathlib.Path) -> None:
    labels, problems = read_kinetics(write(tmp_path, "\ufeff" + HEADER + GOOD + '"tap, dance",b,100,110.0,train,1\n'))
    assert labels == [LABEL, Label("b", "tap, dance", 100.0, 110.0)]
    assert problems == []
    assert [label.clip for label in labels] == ["-abc_1_000007_000017", "b_000100_000110"]


def test_the_test_split_of_kinetics_may_lack_labels(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "youtube_id,time_start,time_end,split\n-abc_1,7,17,test\n")
    assert read_kinetics(path) == ([Label("-abc_1", None, 7.0, 17.0)], [])


@pytest.mark.parametrize(
    "row",
    [
        *("x", ",b,1,2,train,0", "x,,1,2,train,0", "x,b,2,1,train,0", "x,b,2,2,train,0", "x,b,-1,2,train,0"),
        *("x,b,nan,2,train,0", "x,b,1,inf,train,0", "x,b,one,2,train,0", "x,b,1,,train,0", "x,b,1"),
    ],
)
def test_a_bad_row_of_kinetics_costs_no_other(tmp_path: pathlib.Path, row: str) -> None:
    labels, (problem,) = read_kinetics(write(tmp_path, f"{HEADER}{row}\n{GOOD}"))
    assert labels == [LABEL]
    assert (problem.item, problem.stage) == (f"{tmp_path / 'train.csv'}, line 2", "labels")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "line 1 lacks youtube_id, time_start, time_end"),
        ("label,youtube_id,start\n", "line 1 lacks time_start, time_end"),
        (HEADER + GOOD + "x" * 140_000, "cannot be read after line [23]: field larger than"),
        (HEADER.encode() + b"caf\xe9,b,1,2,train,0\n", "cannot be read after line 0: .*utf-8"),
    ],
)
def test_what_is_no_table_of_kinetics_is_an_error(tmp_path: pathlib.Path, table: str | bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"train\.csv.*{reason}"):
        read_kinetics(write(tmp_path, table))
