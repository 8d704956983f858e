"""The transcript of one video: json3, tables, and distinguishing them from subtitles."""

import json
import pathlib

import pytest

from videobert_jax.errors import TranscriptError
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.transcripts import Transcript


def event(start: object, length: object, *segments: object) -> dict[str, object]:
    return {"tStartMs": start, "dDurationMs": length, "segs": list(segments)}


def segment(text: object, offset: object = None) -> dict[str, object]:
    return {"utf8": text} if offset is None else {"utf8": text, "tOffsetMs": offset}


def read(tmp_path: pathlib.Path, content: object, name: str = "a.json3") -> Transcript:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_transcript(path)


def read_json3(tmp_path: pathlib.Path, *events: object) -> Transcript:
    return read(tmp_path, {"wireMagic": "pb3", "events": list(events)})


def spans(transcript: Transcript) -> list[tuple[str, float, float]]:
    return [(word.text, round(word.start, 3), round(word.end, 3)) for word in transcript.words]


def test_json3_words_have_their_own_times(tmp_path: pathlib.Path) -> None:
    transcript = read_json3(
        tmp_path,
        {"tStartMs": 0, "dDurationMs": 9000, "id": 1, "wpWinPosId": 1},
        event(0, 4000, segment("guys"), segment(" this", 179), segment(" is", 500)),
        {**event(2060, 1000, segment("\n")), "aAppend": 1},
        event(2070, 3000, segment("soup", 0), segment(" now", 1500)),
        event(3_600_000, 1000, segment("hot", 250), segment(" stuff", 500)),
    )
    assert spans(transcript) == [
        ("guys", 0.0, 0.179),
        ("this", 0.179, 0.5),
        ("is", 0.5, 0.77),
        ("soup", 2.07, 2.46),
        ("now", 3.57, 3.9),
        ("hot", 3600.25, 3600.5),
        ("stuff", 3600.5, 3600.95),
    ]
    assert transcript.repairs == {"overlapping cues": 1}


def test_uploaded_json3_shares_its_events_by_letters(tmp_path: pathlib.Path) -> None:
    transcript = read_json3(tmp_path, event(1000, 2000, segment("I\nchop it")), event(3000, 1000, segment("[Music]")))
    assert spans(transcript) == [("I", 1.0, 1.286), ("chop", 1.286, 2.429), ("it", 2.429, 3.0)]


@pytest.mark.parametrize(
    ("bad", "repair"),
    [
        (event(-1, 1000, segment("no")), "unreadable or empty cues"),
        (event("x", 1000, segment("no")), "unreadable or empty cues"),
        (event(9000, None, segment("no")), "unreadable or empty cues"),
        (event(9000, float("nan"), segment("no")), "unreadable or empty cues"),
        (event(9000, 10**400, segment("no")), "unreadable or empty cues"),
        (event(9000, -9001, segment("no")), "unreadable or empty cues"),
        ({"segs": [segment("no")]}, "unreadable or empty cues"),
        (event(9000, 1000, segment(7)), "unreadable or empty cues"),
        (event(9000, 1000, {}), "unreadable or empty cues"),
        (event(9000, 1000, 7), "unreadable or empty cues"),
        (event(9000, 1000, segment("half a \ud83d")), "unreadable or empty cues"),
        ({**event(9000, 1000), "segs": 7}, "unreadable or empty cues"),
        (7, "unreadable or empty cues"),
        (event(1000, 2000, segment("chop")), "repeated cues"),
    ],
)
def test_a_bad_event_of_json3_costs_no_other(tmp_path: pathlib.Path, bad: object, repair: str) -> None:
    transcript = read_json3(tmp_path, event(1000, 2000, segment("chop")), bad)
    assert spans(transcript) == [("chop", 1.0, 3.0)]
    assert transcript.repairs == {repair: 1}


def test_a_json3_event_that_ends_before_it_starts_is_turned(tmp_path: pathlib.Path) -> None:
    transcript = read_json3(tmp_path, event(3000, -2000, segment("chop")))
    assert spans(transcript) == [("chop", 1.0, 3.0)]
    assert transcript.repairs == {"reversed times": 1}


@pytest.mark.parametrize("offset", ["x", -1, 1e999, 10**11, [3]])
def test_a_json3_word_without_a_usable_time_shares_that_of_others(tmp_path: pathlib.Path, offset: object) -> None:
    transcript = read_json3(tmp_path, event(0, 2000, segment("ab"), segment(" cd", offset), segment(" ef", 1000)))
    assert [word.start for word in transcript.words] == [0.0, 0.5, 1.0]
    assert transcript.repairs == {"unreadable word times": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"events": [', r"broken JSON \(JSONDecodeError: Expecting value: line 1 column 13"),
        ('{"events": ' + "[" * 100_000, r"broken JSON \(RecursionError"),
        ('{"events": ' + "9" * 5000, r"broken JSON \(ValueError"),
        ("{}", 'not json3: it has no "events" list'),
        ({"events": {}}, 'no "events" list'),
        ({"events": []}, "no spoken words"),
    ],
)
def test_what_is_no_json3_says_so(tmp_path: pathlib.Path, content: object, reason: str) -> None:
    with pytest.raises(TranscriptError, match=reason):
        read(tmp_path, content)


def test_a_table_of_howto100m(tmp_path: pathlib.Path) -> None:
    table = ',start,end,text\n0,1.0,3.0,chop it\n1,2.5,4.0,"stir, ""well"""\n\n'
    transcript = read(tmp_path, table, "a.csv")
    assert spans(transcript) == [("chop", 1.0, 2.0), ("it", 2.0, 2.5), ("stir,", 2.5, 3.182), ('"well"', 3.182, 4.0)]
    assert transcript.repairs == {"overlapping cues": 1}


@pytest.mark.parametrize("row", ["1", "x,2,no", "-1,2,no", "nan,2,no", "5,inf,no", "5,6,", "5,6, ", "5,6"])
def test_a_bad_row_of_a_table_costs_no_other(tmp_path: pathlib.Path, row: str) -> None:
    transcript = read(tmp_path, f"Start,End,Text\r\n{row}\r\n1,2,chop\r\n", "a.csv")
    assert spans(transcript) == [("chop", 1.0, 2.0)]
    assert transcript.repairs == {"unreadable or empty cues": 1}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("start,end\n1,2\n", "the table begins 'start,end', expected a line that names start, end and text"),
        ("start,end,text\n", "no spoken words"),
        (f"start,end,text\n1,2,chop\n3,4,{'x' * 140_000}\n", "line 3 of the table cannot be read: field larger than"),
    ],
)
def test_what_is_no_table_says_so(tmp_path: pathlib.Path, table: str, reason: str) -> None:
    with pytest.raises(TranscriptError, match=reason):
        read(tmp_path, table, "a.csv")


@pytest.mark.parametrize("name", ["a.vtt", "a.srt", "a.csv", "a.json3"])
def test_the_content_decides_not_the_name(tmp_path: pathlib.Path, name: str) -> None:
    for content in (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nchop\n",
        "1\n00:00:01,000 --> 00:00:02,000\nchop\n",
        {"events": [event(1000, 1000, segment("chop"))]},
        "text,start,end\nchop,1,2\n",
    ):
        assert spans(read(tmp_path, content, name)) == [("chop", 1.0, 2.0)]
