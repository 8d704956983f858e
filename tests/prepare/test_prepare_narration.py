"""One transcript that nobody could have meant costs the others nothing."""

import pathlib

import pytest

from videobert_jax.prepare.narration import narrate, read_narrations, write_narrations
from videobert_jax.prepare.scan import Source
from videobert_jax.prepare.storage import DamagedError

GOOD = "WEBVTT\n\n00:00.000 --> 00:02.000\nchop the onion\n"


def source(tmp_path: pathlib.Path, name: str, text: str) -> Source:
    path = tmp_path / f"{name}.vtt"
    path.write_text(text)
    return Source(name, tmp_path / f"{name}.mp4", path)


def test_absurd_numbers_are_a_problem_of_their_video(tmp_path: pathlib.Path) -> None:
    bad = source(tmp_path, "bad", GOOD.replace("the", f"&#{'9' * 5000};"))
    write_narrations(tmp_path / "sentences.jsonl", [bad, source(tmp_path, "good", GOOD)], 24)
    found = dict(read_narrations(tmp_path / "sentences.jsonl"))
    assert found["bad"].problem.startswith("the transcript cannot be understood (")
    assert [sentence.text for sentence in found["good"].sentences] == ["chop the onion"]


def test_a_video_without_transcript_has_no_problem(tmp_path: pathlib.Path) -> None:
    assert narrate(Source("a", tmp_path / "a.mp4", None), 24).problem == ""


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"video_id": "a", "sentences": [3]}'])
def test_damaged_sentences_name_the_file(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "sentences.jsonl").write_text(content)
    with pytest.raises(DamagedError, match=r"sentences\.jsonl is damaged .*; remove .* and run the same command again"):
        list(read_narrations(tmp_path / "sentences.jsonl"))
