"""What viewers watched."""

import pathlib

import pytest

from videobert_jax.errors import FormatError
from videobert_jax.formats.histories import Viewing, read_histories


def write(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / "histories.csv"
    path.write_text(text)
    return path


def test_viewings_are_in_order_of_time_and_the_last_are_held_out(tmp_path: pathlib.Path) -> None:
    rows = "user,item,timestamp\nu1,c,3\nu1,a,1\nu2,b,9\nu1,d,4.5\nu3,a,1\nu3,b,2\n"
    histories, problems = read_histories(write(tmp_path, rows))
    assert [(one.video_id, one.split) for one in histories["u1"]] == [
        ("a", "train"),
        ("c", "validation"),
        ("d", "test"),
    ]
    assert [(one.video_id, one.split) for one in histories["u3"]] == [("a", "train"), ("b", "test")]
    assert histories["u2"] == [Viewing("u2", "b", 9.0, "train")]
    assert not problems


def test_splits_of_the_file_count(tmp_path: pathlib.Path) -> None:
    rows = "user,item,timestamp,split\nu1,a,1,testing\nu1,b,2,training\nu1,c,3,val\n"
    histories, _ = read_histories(write(tmp_path, rows))
    assert [one.split for one in histories["u1"]] == ["test", "train", "validation"]


@pytest.mark.parametrize("row", ["u,a,soon,train", "u,a,inf,train", ",a,1,train", "u,,1,train", "u,a,1,later", "u"])
def test_a_bad_row_costs_no_other(tmp_path: pathlib.Path, row: str) -> None:
    histories, (problem,) = read_histories(write(tmp_path, f"user,item,timestamp,split\n{row}\nu,b,2,train\n"))
    assert [one.video_id for one in histories["u"]] == ["b"]
    assert problem.item == "histories.csv, line 2"


def test_another_table_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FormatError, match="has the columns rating, user; expected item, timestamp, user"):
        read_histories(write(tmp_path, "user,rating\n"))
