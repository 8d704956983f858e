"""QVHighlights' queries."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from videobert_jax.errors import FormatError
from videobert_jax.formats.moments import read_moments

QUERY: dict[str, Any] = {
    "qid": 9,
    "query": "someone cuts an onion ",
    "vid": "long_1",
    "duration": 11.0,
    "relevant_windows": [[0, 2], [8, 12]],
    "relevant_clip_ids": [0, 4, 5],
    "saliency_scores": [[1, 2, 3], [4, 4, 4], [2, 0, 1]],
}


def write(tmp_path: pathlib.Path, *entries: object) -> pathlib.Path:
    path = tmp_path / "moments.jsonl"
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_query_is_read(tmp_path: pathlib.Path) -> None:
    (one,) = read_moments(write(tmp_path, "", {**QUERY, "split": "testing"}))
    assert (one.name, one.text, one.video_id, one.duration) == ("9", "someone cuts an onion", "long_1", 11.0)
    assert one.split == "test"
    np.testing.assert_array_equal(one.windows, [[0, 2], [8, 12]])  # the last clip ends after the video
    np.testing.assert_array_equal(one.ratings, [[1, 2, 3], [0] * 3, [0] * 3, [0] * 3, [4, 4, 4], [2, 0, 1]])


def test_ratings_and_split_may_be_missing(tmp_path: pathlib.Path) -> None:
    (one,) = read_moments(write(tmp_path, {name: QUERY[name] for name in list(QUERY)[:5]}))
    assert one.ratings is None
    assert one.split is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"relevant_windows": [[4, 2]]}, r"the window \[4, 2\] ends before it starts"),
        ({"relevant_windows": [[2, 2]]}, r"the window \[2, 2\] ends before it starts"),
        ({"relevant_windows": [[8, 13]]}, r"the window \[8, 13\] is outside the video, which lasts 11.0 s"),
        ({"relevant_windows": [[-2, 2]]}, r"the window \[-2, 2\] is outside the video"),
        ({"relevant_windows": []}, r"relevant_windows is \[\], expected at least one"),
        ({"relevant_windows": [[1, 2, 3]]}, r"\[1, 2, 3\] is in relevant_windows, expected \[start, end\]"),
        ({"relevant_windows": [[1, float("nan")]]}, r"nan\] is in relevant_windows, expected \[start, end\]"),
        ({"duration": "11"}, "duration is '11', expected seconds above 0"),
        ({"query": " "}, "query is ' ', expected words"),
        ({"vid": 7}, "vid is 7, expected words"),
        ({"split": "held out"}, "split is 'held out', expected one of train, training"),
        ({"split": []}, r"split is \[\], expected one of"),
        ({"relevant_clip_ids": [0, 4, 6]}, r"relevant_clip_ids is \[0, 4, 6\], expected numbers of the 6 clips"),
        ({"saliency_scores": [[1, 2, 3]]}, "expected for each of 3 relevant clips the same number of ratings"),
        ({"saliency_scores": [[1], [2], [5]]}, "the same number of ratings, 0 to 4"),
        ({"saliency_scores": [[1], [2], [3, 4]]}, "the same number of ratings"),
        ({"saliency_scores": None}, "has relevant_clip_ids alone"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: pathlib.Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError, match=rf"moments\.jsonl, line 2.*{reason}"):
        read_moments(write(tmp_path, QUERY, {**QUERY, **changes}))


@pytest.mark.parametrize("name", ["qid", "query", "vid", "duration", "relevant_windows"])
def test_a_missing_key_is_named(tmp_path: pathlib.Path, name: str) -> None:
    entry = {key: value for key, value in QUERY.items() if key != name}
    with pytest.raises(FormatError, match=rf"line 1 has no {name}; expected qid, query"):
        read_moments(write(tmp_path, entry))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "line 1 is not valid JSON"), ("[]", "line 1 holds list"), (" ", "is empty, expected a query")],
)
def test_a_file_of_something_else_is_refused(tmp_path: pathlib.Path, content: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read_moments(write(tmp_path, content))
