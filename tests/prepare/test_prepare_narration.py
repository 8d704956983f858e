"""A malformed transcript does not affect the others."""

import functools
import json
import pathlib
from collections.abc import Sequence

import pytest

from videobert_jax.errors import ConfigError, DamagedError, FormatError
from videobert_jax.prepare.blocks import Block, Planned
from videobert_jax.prepare.narrations import (
    Narration,
    deal_out,
    narrations,
    read_dealt,
    read_narrations,
    write_narrations,
)
from videobert_jax.speech.sentences import split

GOOD = "WEBVTT\n\n00:00.000 --> 00:02.000\nchop the onion\n"
COLUMNS = {"start": [0, 2], "end": [2, 4], "text": ["now peel it", "then fry it"]}
SPLIT = functools.partial(split, max_words=24, splitter=None)
FIRST, SECOND, EMPTY = Block("train", 0, 2), Block("train", 1, 2), Block("validation", 0, 1)


def video(video_id: str, transcript: pathlib.Path | None = None) -> Planned:
    return Planned(video_id, f"{video_id}.mp4", str(transcript) if transcript else None, None)


def said(narration: Narration) -> Sequence[str]:
    return [sentence.text for sentence in narration.sentences]


def test_absurd_numbers_are_a_problem_of_their_video(tmp_path: pathlib.Path) -> None:
    videos = []
    for name, text in {"bad": GOOD.replace("the", f"&#{'9' * 5000};"), "good": GOOD}.items():
        (tmp_path / f"{name}.vtt").write_text(text)
        videos.append(video(name, tmp_path / f"{name}.vtt"))
    write_narrations(tmp_path / "sentences.jsonl", videos, narrations(videos, {}, "", SPLIT))
    found = dict(read_narrations(tmp_path / "sentences.jsonl"))
    assert found["bad"].problem.startswith("the transcript cannot be understood (")
    assert said(found["good"]) == ["chop the onion"]


def test_a_shared_file_is_dealt_out_to_the_blocks(tmp_path: pathlib.Path) -> None:
    """Each block of a video without its own transcript gets it."""
    (tmp_path / "own.vtt").write_text(GOOD)
    (tmp_path / "caption.json").write_text(
        json.dumps({"b": {**COLUMNS, "text": [7, 8]}, "unwanted": COLUMNS, "a": COLUMNS, "own": COLUMNS})
    )
    blocks = {FIRST: [video("a"), video("own", tmp_path / "own.vtt")], SECOND: [video("a"), video("b"), video("c")]}
    blocks[EMPTY] = [video("c")]
    deal_out(tmp_path / "caption.json", blocks, tmp_path / "dealt")
    found = {
        block: list(narrations(videos, read_dealt(tmp_path / "dealt" / f"{block}.jsonl"), "caption.json", SPLIT))
        for block, videos in blocks.items()
    }
    sentences = ["now peel it", "then fry it"]
    assert read_dealt(tmp_path / "dealt" / f"{EMPTY}.jsonl") == {}
    assert [said(narration) for narration in found[FIRST]] == [sentences, ["chop the onion"]]
    assert [said(narration) for narration in found[SECOND]] == [sentences, [], []]
    assert [narration.problem for narration in found[SECOND]] == [
        "",
        "the transcript holds no spoken words: used for video-only examples",
        "caption.json has no transcript for it: used for video-only examples",
    ]


@pytest.mark.slow
def test_a_nesting_that_nobody_means_costs_its_video(tmp_path: pathlib.Path) -> None:
    """A streaming parser accepts content that cannot be serialised again."""
    deep = "[" * 20_000 + "]" * 20_000  # within what is read at once
    (tmp_path / "caption.json").write_text(f'{{"a": {deep}, "b": {json.dumps(COLUMNS)}}}')
    deal_out(tmp_path / "caption.json", {FIRST: [video("a"), video("b")]}, tmp_path / "dealt")
    dealt = read_dealt(tmp_path / "dealt" / f"{FIRST}.jsonl")
    bad, good = narrations([video("a"), video("b")], dealt, "caption.json", SPLIT)
    assert "lacks a list of each" in bad.problem
    assert len(said(good)) == 2


def test_a_broken_shared_file_leaves_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "caption.json").write_text(json.dumps({"a": COLUMNS})[:-1])
    with pytest.raises(FormatError, match="broken after 0 videos"):
        deal_out(tmp_path / "caption.json", {FIRST: [video("a")]}, tmp_path / "dealt")
    assert not (tmp_path / "dealt").exists()
    with pytest.raises(DamagedError, match=r"is damaged .*; remove .*dealt and run the same command again"):
        read_dealt(tmp_path / "dealt" / f"{FIRST}.jsonl")


def test_a_splitter_that_fails_is_no_problem_of_the_video(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.vtt").write_text(GOOD)
    broken = functools.partial(split, max_words=24, splitter=lambda words: [len(words)])
    with pytest.raises(ConfigError, match="sentence_splitter returned 3 to 3, expected indices of 3 words"):
        list(narrations([video("a", tmp_path / "a.vtt")], {}, "", broken))


def test_a_video_without_transcript_has_no_problem() -> None:
    assert list(narrations([video("a")], {}, "", SPLIT)) == [Narration()]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"video_id": "a", "sentences": [3]}'])
def test_damaged_sentences_name_the_file(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "sentences.jsonl").write_text(content)
    with pytest.raises(DamagedError, match=r"sentences\.jsonl is damaged .*; remove .* and run the same command again"):
        list(read_narrations(tmp_path / "sentences.jsonl"))
