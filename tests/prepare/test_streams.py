"""The transcripts of many videos in one file of any size."""

import io
import json
import pathlib
import subprocess
import sys

import pytest

from videobert_jax.errors import FormatError, TranscriptError
from videobert_jax.prepare import streams

GOOD = {"start": [0.5, 3], "end": [2.5, 5], "text": ["chop the onion", "stir it"]}


def write(tmp_path: pathlib.Path, content: object, name: str = "raw_caption.json") -> pathlib.Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def said(path: pathlib.Path, *video_ids: str) -> dict[str, str]:
    return {
        video_id: " ".join(word.text for word in streams.parse(content).words)
        for video_id, content in streams.transcripts(path, video_ids)
    }


def test_howto100m_gives_the_videos_wanted_in_the_order_of_the_file(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, {"b": GOOD, "unwanted": {"start": 3}, "a": {**GOOD, "text": ["peel", "cut"]}})
    assert list(said(path, "a", "b", "absent").items()) == [("b", "chop the onion stir it"), ("a", "peel cut")]
    ((_, content),) = streams.transcripts(path, ["b"])
    assert [(word.text, word.start) for word in streams.parse(content).words if word.text in ("chop", "stir")] == [
        ("chop", 0.5),
        ("stir", 3.0),
    ]
    assert streams.parse(content).repairs == {}


def test_howto100m_rows_are_mended_by_the_rules_of_transcripts(tmp_path: pathlib.Path) -> None:
    rows = [
        (9.0, 8.0, "reversed"),
        (-1.0, 2.0, "negative"),
        (1.0, 5.0, "long"),
        (3.0, 4.0, "over"),
        (3.0, 4.0, "over"),
        (float("nan"), 4.0, "untimed"),
        (6.0, float("inf"), "endless"),
        (6.0, "7.0", "written"),
        (6.5, None, "open"),
        (6.5, True, "true"),
        (7.0, 7.5, float("nan")),
        (7.0, 7.5, 12),
        (7.0, 7.5, " \n"),
    ]
    starts, ends, words = zip(*rows, strict=True)
    path = write(tmp_path, {"a": {"start": starts, "end": ends, "text": words}})
    ((_, content),) = streams.transcripts(path, ["a"])
    spans = [(word.text, word.start, word.end) for word in streams.parse(content).words]
    assert spans == [("long", 1.0, 3.0), ("over", 3.0, 4.0), ("written", 6.0, 7.0), ("reversed", 8.0, 9.0)]
    assert streams.parse(content).repairs == {
        "unreadable or empty cues": 8,
        "reversed times": 1,
        "repeated cues": 1,
        "overlapping cues": 1,
    }


def test_lines_that_roll_through_howto100m_are_said_once(tmp_path: pathlib.Path) -> None:
    texts = ["one two", "one two\nthree", "three\nfour", "four\nfive"]
    path = write(tmp_path, {"a": {"start": [0, 1, 2, 3], "end": [1, 2, 3, 4], "text": texts}})
    assert said(path, "a") == {"a": "one two three four five"}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (3, "lacks a list of each of start, end, text"),
        ({"start": [1], "end": [2]}, "lacks a list of each"),
        ({"start": [1], "end": [2], "text": "chop"}, "lacks a list of each"),
        ({"start": [1, 2], "end": [2], "text": ["chop"]}, r"lists of \[1, 2\] entries, expected equal lengths"),
        ({"start": [], "end": [], "text": []}, "no spoken words"),
    ],
)
def test_a_bad_video_of_howto100m_costs_no_other(tmp_path: pathlib.Path, columns: object, reason: str) -> None:
    found = dict(streams.transcripts(write(tmp_path, {"a": columns, "b": GOOD}), ["a", "b"]))
    with pytest.raises(TranscriptError, match=reason):
        streams.parse(found["a"])
    assert len(streams.parse(found["b"]).words) == 5


def test_a_nesting_that_would_crash_the_parser_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, f'{{"a": {json.dumps(GOOD)}, "b": {"[" * 200_000}')
    with pytest.raises(FormatError, match=r"broken after [01] videos, .* more than 1,000 deep"):
        said(path, "a", "b")


def test_a_byte_order_mark_is_no_fault(tmp_path: pathlib.Path) -> None:
    assert said(write(tmp_path, "\ufeff" + json.dumps({"a": GOOD})), "a") == {"a": "chop the onion stir it"}


def test_of_a_video_that_is_there_twice_the_first_counts(tmp_path: pathlib.Path) -> None:
    other = json.dumps({**GOOD, "text": ["peel", "cut"]})
    path = write(tmp_path, f'{{"a": {json.dumps(GOOD)}, "a": {other}}}')
    assert said(path, "a") == {"a": "chop the onion stir it"}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (json.dumps({"a": GOOD, "b": GOOD})[:-20], "after 1 videos, near byte 1[0-9][0-9] "),
        ('{"a": ' + json.dumps(GOOD) + ", oops}", "after 0 videos, near byte 88 .*invalid char"),
        ('{"a": ' + "9" * 400 + "}", "after 0 videos, near byte 407 "),
        ('{"a": "' + "\\", "after 0 videos"),
        ("[1]", r"begins with b'\[1\]', expected HowTo100M's captions or HERO's lines of JSON"),
        ("", "begins with b''"),
        ('{"vid_name": "a", "sub": []}\n\n{"vid_name": "b"\n', "in line 3 "),
        ('{"vid_name": "a", "sub": []}\n{"sub": []}\n', "in line 2 "),
        ('{"vid_name": "a", "sub": []}\n3\n', "in line 2 "),
    ],
)
def test_a_file_that_breaks_off_is_refused_with_its_place(tmp_path: pathlib.Path, content: str, place: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(FormatError, match=rf"raw_caption\.json .*{place}"):
        list(streams.transcripts(path, ["a", "b"]))


def test_hero_has_a_line_for_each_video(tmp_path: pathlib.Path) -> None:
    subtitles = [{"text": "chop the onion", "start": 0.5, "end": 2.5}, {"text": "now", "start": 3, "end": 4}]
    subtitles += [7, {}, {"text": "half a \ud83d", "start": 5, "end": 6}]
    lines = [{"sub": subtitles, "vid_name": "a"}, {"vid_name": "b", "sub": {}}, {"vid_name": "c", "sub": subtitles}]
    path = write(tmp_path, "\ufeff" + "\n".join(map(json.dumps, lines)), "tv_subtitles.jsonl")
    assert said(path, "a", "c") == dict.fromkeys("ac", "chop the onion now")
    found = dict(streams.transcripts(path, ["a", "b"]))
    assert streams.parse(found["a"]).repairs == {"unreadable or empty cues": 3}
    with pytest.raises(TranscriptError, match="lacks a list of each of start, end, text"):
        streams.parse(found["b"])


NOT_STANDARD = r'{"NaN": [NaN, -Infinity,Infinity, 1], "a\\": "NaN \" NaN \\\\", "b": NaN, "c\\\"NaN": "-Infinity"}'
STANDARD = r'{"NaN": [null, null,null, 1], "a\\": "NaN \" NaN \\\\", "b": null, "c\\\"NaN": "-Infinity"}'


@pytest.mark.parametrize("chunk", range(1, 30))
def test_only_numbers_that_are_none_become_null(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads may end at any byte."""
    monkeypatch.setattr(streams, "CHUNK", chunk)
    file = streams.StandardJson(io.BytesIO(NOT_STANDARD.encode()))
    assert b"".join(iter(lambda: file.read(7), b"")).decode() == STANDARD


@pytest.mark.parametrize("chunk", [1, 64, 1 << 20])
def test_howto100m_does_not_depend_on_how_it_is_read(
    tmp_path: pathlib.Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ['a "NaN" NaN', "cr\u00e8me \\", "x" * 90]
    path = write(tmp_path, {"a": {"start": [0, 2, float("nan")], "end": [1, 3, 4], "text": texts}, "b": GOOD})
    monkeypatch.setattr(streams, "CHUNK", chunk)
    assert said(path, "a", "b") == {"a": 'a "NaN" NaN cr\u00e8me \\', "b": "chop the onion stir it"}


MEASURE = """
import pathlib, resource, sys
from videobert_jax.prepare import streams
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = list(streams.transcripts(pathlib.Path(sys.argv[1]), ["video0", "video5999"]))
assert len(found) == 2
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: pathlib.Path) -> None:
    rows = 60
    columns = {"start": list(range(rows)), "end": list(range(1, rows + 1)), "text": ["chop the onion now"] * rows}
    entry = json.dumps(columns)
    path = tmp_path / "caption.json"
    with path.open("w") as file:
        file.write("{" + ", ".join(f'"video{number}": {entry}' for number in range(6_000)) + "}")
    assert path.stat().st_size > 9e6
    grown = subprocess.run([sys.executable, "-c", MEASURE, str(path)], check=True, capture_output=True, text=True)
    unit = 1024 if sys.platform != "darwin" else 1
    assert int(grown.stdout) * unit < 4e6
