"""Subtitle files in all the variants found in practice."""

import codecs
import pathlib

import pytest

from videobert_jax.errors import TranscriptError
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.transcripts import Transcript

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.060 align:start position:0%
~
guys<00:00:00.179><c> this</c><00:00:00.500><c> is</c>

00:00:02.060 --> 00:00:02.070 align:start position:0%
guys this is
~

00:00:02.070 --> 00:00:03.000 align:start position:0%
guys this is
soup

00:00:03.000 --> 00:00:03.010 align:start position:0%
soup
~

00:00:03.010 --> 00:00:06.000 align:start position:0%
soup
it<00:00:03.300><c> is</c><00:00:05.000><c> hot</c>

00:00:06.000 --> 00:00:08.000 align:start position:0%
[Music]
""".replace("~", " ")  # lines of a single space do not end a cue


def read(tmp_path: pathlib.Path, content: str | bytes, name: str = "a.vtt") -> Transcript:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_transcript(path)


def vtt(*cues: str) -> str:
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def texts(transcript: Transcript) -> list[str]:
    return [word.text for word in transcript.words]


def test_rolling_captions_are_said_once_at_their_word_times(tmp_path: pathlib.Path) -> None:
    transcript = read(tmp_path, ROLLING)
    assert texts(transcript) == ["guys", "this", "is", "soup", "it", "is", "hot"]
    assert [word.start for word in transcript.words] == [0.0, 0.179, 0.5, 2.07, 3.01, 3.3, 5.0]
    assert transcript.repairs["rolled lines"] == 4


def test_a_line_with_word_times_is_new(tmp_path: pathlib.Path) -> None:
    cue = "yes<00:00:0{0}.500><c> yes</c>"
    cues = [f"00:0{start}.000 --> 00:0{start + 1}.000\n{cue.format(start)}" for start in range(2)]
    assert texts(read(tmp_path, vtt(*cues))) == ["yes"] * 4


def test_a_pause_shows_between_words_with_times(tmp_path: pathlib.Path) -> None:
    transcript = read(tmp_path, ROLLING)
    said = transcript.words[5]
    assert (said.text, said.start) == ("is", 3.3)
    assert said.end == pytest.approx(3.3 + 0.15 + 2 * 0.06)


def test_rolling_captions_without_word_times_are_recognised(tmp_path: pathlib.Path) -> None:
    rolled = ["one two", "one two\nthree four", "three four\nfive", "five\nsix seven"]
    cues = [f"{i + 1}\n00:00:0{i},000 --> 00:00:0{i + 1},000\n{text}" for i, text in enumerate(rolled)]
    assert " ".join(texts(read(tmp_path, "\n\n".join(cues), "a.srt"))) == "one two three four five six seven"


@pytest.mark.parametrize("digits", [5, 400, 5000])
def test_an_absurd_word_time_is_not_speech(tmp_path: pathlib.Path, digits: int) -> None:
    cue = f"00:00.000 --> 00:02.000\n<{'9' * digits}:00:00.000>a <00:00:01.000>b"
    assert [(word.text, word.start) for word in read(tmp_path, vtt(cue)).words] == [("a", 0.0), ("b", 1.0)]


@pytest.mark.parametrize("unit", ["<a", "[", "{\\", "(", "\u266a", ">>", "x", "&#"])
def test_a_long_line_takes_time_in_proportion(tmp_path: pathlib.Path, unit: str) -> None:
    """With quadratic time, a line of this length took minutes to hours."""
    transcript = read(tmp_path, vtt("00:00.000 --> 00:01.000\n" + unit * 500_000, "00:01.000 --> 00:02.000\nchop it"))
    assert texts(transcript) == ["chop", "it"]


def test_overlong_words_are_no_speech(tmp_path: pathlib.Path) -> None:
    transcript = read(tmp_path, vtt(f"00:00.000 --> 00:02.000\n{'a' * 100} {'b' * 101}<00:00:01.000> c"))
    assert texts(transcript) == ["a" * 100, "c"]
    assert transcript.repairs == {"overlong words": 1}


@pytest.mark.parametrize(("lines", "said"), [(8, 8), (9, 36)])
def test_a_cue_takes_over_few_lines(tmp_path: pathlib.Path, lines: int, said: int) -> None:
    """Comparing all lines of long cues would take quadratic time."""
    text = "\n".join(f"line{number}" for number in range(lines))
    cues = [f"00:0{start}.000 --> 00:0{start + 1}.000\n{text}" for start in range(4)]
    assert len(read(tmp_path, vtt(*cues)).words) == said


def test_a_word_said_twice_by_a_person_is_kept(tmp_path: pathlib.Path) -> None:
    cues = [
        f"00:0{i}.000 --> 00:0{i + 1}.000\n{text}" for i, text in enumerate(["Yes.", "Yes.", "We cut it.", "Good."])
    ]
    assert texts(read(tmp_path, vtt(*cues))) == ["Yes.", "Yes.", "We", "cut", "it.", "Good."]


def test_words_share_their_cue_by_letters(tmp_path: pathlib.Path) -> None:
    words = read(tmp_path, vtt("00:01.000 --> 00:03.000\nI\nchop it")).words
    assert [(word.text, word.start) for word in words] == [
        ("I", 1.0),
        ("chop", pytest.approx(1 + 2 / 7)),
        ("it", pytest.approx(1 + 10 / 7)),
    ]
    assert words[-1].end == 3.0
    assert {word.cue for word in words} == {0}


def test_markup_and_sounds_are_no_speech(tmp_path: pathlib.Path) -> None:
    text = "<v Bob>- Hello <i>you</i> &amp; me</v>\n[Applause] {\\an8}>> top\n(cli creaks)\n♪ la la ♪\nhalf (a cup)"
    words = read(tmp_path, vtt(f"00:01.000 --> 00:03.000\n{text}"))
    assert " ".join(texts(words)) == "Hello you & me top half (a cup)"


def test_comments_styles_identifiers_and_settings_are_no_speech(tmp_path: pathlib.Path) -> None:
    blocks = ["NOTE not\nthis", "STYLE\n::cue { color: red }", "intro\n00:01.000 --> 00:02.000 align:start\ncut"]
    assert texts(read(tmp_path, vtt(*blocks))) == ["cut"]


def test_bad_times_are_repaired_or_dropped(tmp_path: pathlib.Path) -> None:
    transcript = read(
        tmp_path,
        vtt(
            "00:09.000 --> 00:08.000\nreversed",
            "-00:01.000 --> 00:02.000\nnegative",
            "00:75.000 --> 01:xx.000\nnonsense",
            "00:01.000 --> 00:05.000\nlong",
            "00:03.000 --> 00:04.000\nover",
            "00:03.000 --> 00:04.000\nover",
            "00:06.000 --> 00:07.000",
            "00:07.000 --> 00:07.000\ninstant",
        ),
    )
    spans = [(word.text, word.start, word.end) for word in transcript.words]
    assert spans == [("long", 1.0, 3.0), ("over", 3.0, 4.0), ("instant", 7.0, 7.0), ("reversed", 8.0, 9.0)]
    assert transcript.repairs == {
        "unreadable or empty cues": 3,
        "reversed times": 1,
        "repeated cues": 1,
        "overlapping cues": 1,
    }


def test_words_never_overlap_nor_run_backwards(tmp_path: pathlib.Path) -> None:
    cue = "00:02.000 --> 00:04.000\na<00:00:03.500> b<00:00:03.000> c<00:00:09.000> d"
    words = read(tmp_path, vtt(cue, "00:03.800 --> 00:05.000\ne f")).words
    moments = [moment for word in words for moment in (word.start, word.end)]
    assert moments == sorted(moments)
    assert (moments[0], moments[-1]) == (2.0, 5.0)


def test_simultaneous_speakers_become_one_cue(tmp_path: pathlib.Path) -> None:
    words = read(tmp_path, vtt("00:01.000 --> 00:02.000\nleft", "00:01.000 --> 00:03.000\nright")).words
    assert [(word.text, word.cue) for word in words] == [("left", 0), ("right", 0)]
    assert words[-1].end == 3.0
    words = read(tmp_path, vtt("00:01.000 --> 00:03.000\nleft", "00:01.000 --> 00:02.000\nright")).words
    assert words[-1].end == 3.0


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + "WEBVTT\n\n00:01.000 --> 00:02.000\ncrème".encode(),
        "WEBVTT\n\n00:01.000 --> 00:02.000\ncrème".encode("utf-16"),
        codecs.BOM_UTF32_LE + "WEBVTT\n\n00:01.000 --> 00:02.000\ncrème".encode("utf-32-le"),
        "WEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\ncrème\r\n".encode("cp1252"),
        "1\n00:00:01,000 --> 00:00:02,000\ncrème\n".encode(),
    ],
    ids=["utf-8 mark", "utf-16", "utf-32", "windows-1252", "srt named vtt"],
)
def test_encodings(tmp_path: pathlib.Path, data: bytes) -> None:
    assert texts(read(tmp_path, data)) == ["crème"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"WEBVTT\n", "no spoken words"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n[Music]\n", "no spoken words"),
        (b"once upon a time", "neither WebVTT nor SubRip: it begins 'once upon a time'"),
        (b"\x00\x01binary", "not text"),
        (b"\x81\x8d", "not text"),
        (codecs.BOM_UTF16_LE + b"odd", "not text"),
    ],
)
def test_what_is_no_transcript_says_so(tmp_path: pathlib.Path, data: bytes, reason: str) -> None:
    with pytest.raises(TranscriptError, match=reason):
        read(tmp_path, data)


def test_a_file_that_cannot_be_opened_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TranscriptError, match="cannot be read: No such file"):
        read_transcript(tmp_path / "none.vtt")
