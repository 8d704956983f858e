"""The benchmark on YouCook2, with captions made up here in both of the forms that people have."""

import functools
import json
import pathlib
import subprocess
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from videobert_jax.config import Config, DataConfig, PrepareConfig
from videobert_jax.errors import PrepareError
from videobert_jax.evaluation.report.terminal import NOT_MEASURED
from videobert_jax.formats.annotations import Annotation, Caption
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.tokenizer import load

ROOT = pathlib.Path(__file__).parents[2]
TRAINING = {
    "a": [(1, 4, "add salt to the pan"), (5, 9, "add the onion to the pan")],
    "v_b": [(0, 2, "stir the red onion."), (3, 8, "add oil"), (9, 12, "stir the soup")],
}
HELD_OUT = {"c": [(2, 6, "add pepper to the pan"), (8, 9, "stir the onion"), (9, 11, "peel the egg")]}


@pytest.fixture(scope="module")
def youcook2(benchmark_module: Callable[[str], types.ModuleType]) -> types.ModuleType:
    module = benchmark_module("real/youcook2.py")
    module.find_reader = functools.cache(module.find_reader)  # the tagger is loaded once
    module.find_reader(True)
    return module


def entry(subset: str, found: list[tuple[int, int, str]]) -> dict[str, Any]:
    return {
        "subset": subset,
        "annotations": [{"segment": [start, end], "sentence": text} for start, end, text in reversed(found)],
    }


def own_form(folder: pathlib.Path) -> pathlib.Path:
    database = {name: entry("training", found) for name, found in TRAINING.items()}
    database |= {name: entry("validation", found) for name, found in HELD_OUT.items()}
    return write(folder / "youcookii_annotations_trainval.json", {"database": database})


def form_of_activitynet(folder: pathlib.Path) -> pathlib.Path:
    """With the held-out captions twice, as recurrent-transformer has them."""
    for name, videos in (("train_anet_format", TRAINING), ("val_anet_format", HELD_OUT)):
        write(folder / f"yc2_{name}.json", columns(videos))
    write(folder / "val_yc2.json", columns({f"v_{name}": found for name, found in HELD_OUT.items()}))
    write(folder / "yc2_val_anet_format_para.json", {"c": "add pepper to the pan stir the onion peel the egg"})
    (folder / "yc2_duration_frame.csv").write_text("a,11.5,300\nc,13.0,312\n")
    return folder


def columns(videos: dict[str, list[tuple[int, int, str]]]) -> dict[str, Any]:
    return {
        name: {"duration": 20, "timestamps": [found[:2] for found in all_of], "sentences": [x[2] for x in all_of]}
        for name, all_of in videos.items()
    }


def write(path: pathlib.Path, content: Any) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def annotation(split: str, found: list[tuple[int, int, str]]) -> Annotation:
    return Annotation(split, tuple(Caption(text, float(start), float(end)) for start, end, text in found))


@pytest.mark.parametrize("make", [own_form, form_of_activitynet])
def test_both_forms_are_found_and_read(youcook2, tmp_path: pathlib.Path, make) -> None:
    truth = make(tmp_path / "deep" / "down")
    write(tmp_path / "other.json", {"train": ["a"]})
    assert youcook2.find_annotations(tmp_path) == truth
    expected = {name: annotation("train", found) for name, found in TRAINING.items()}
    assert youcook2.read(truth) == expected | {
        name: annotation("validation", found) for name, found in HELD_OUT.items()
    }


def test_the_data_sets_own_form_comes_before_the_other(youcook2, tmp_path: pathlib.Path) -> None:
    form_of_activitynet(tmp_path / "a")
    truth = own_form(tmp_path / "b")
    assert youcook2.find_annotations(tmp_path) == truth


def test_without_annotations_or_without_a_split_it_says_what_is_missing(youcook2, tmp_path: pathlib.Path) -> None:
    with pytest.raises(PrepareError, match=r"holds no annotations of YouCook2, expected youcookii_annotations_train"):
        youcook2.find_annotations(tmp_path)
    alone = write(tmp_path / "yc2_train_anet_format.json", columns(TRAINING))
    with pytest.raises(PrepareError, match=r"no captions of the split 'validation', expected both"):
        youcook2.read(alone)


def test_the_commonest_words_of_the_training_captions_are_scored_on_those_held_out(youcook2, tmp_path) -> None:
    """The first verb is "add", before "stir"; the first objects are "onion" and "pan", as often, then "oil".

    "red" is no noun; "pepper" and "peel" are in no training caption.
    """
    found = youcook2.trivial(youcook2.read(own_form(tmp_path)))
    name, values = youcook2.row("usual", found, "language_prior")
    assert name == "usual"
    assert values == pytest.approx([100 / 3, 200 / 3, 100 / 3, 200 / 3])
    assert found["object_labels"] == {
        "words": ["egg", "onion", "pan", "pepper"],
        "not_a_single_token": [],
        "segments": 3,
    }


def test_as_many_words_count_as_in_the_paper(youcook2) -> None:
    assert (youcook2.ASKED.verbs, youcook2.ASKED.objects, youcook2.ASKED.nouns) == (45, 100, True)


def test_a_table_in_markdown(youcook2) -> None:
    text = youcook2.table([("ours", [1.0, 2.25, None, 100.0])])
    assert text.splitlines() == [
        "| per cent | verb top1 | verb top5 | object top1 | object top5 |",
        "|---|---|---|---|---|",
        f"| ours | 1.0 | 2.2 | {NOT_MEASURED} | 100.0 |",
    ]


def test_every_second_caption_is_opened_and_each_is_a_sentence(youcook2, tmp_path: pathlib.Path) -> None:
    annotations = youcook2.read(own_form(tmp_path))
    youcook2.write_spoken(tmp_path / "plain.json", annotations)
    youcook2.write_spoken(tmp_path / "opened.json", annotations, opened=2)
    plain, opened = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("plain", "opened"))
    assert plain["v_b"] == {
        "start": [0.0, 3.0, 9.0],
        "end": [2.0, 8.0, 12.0],
        "text": ["stir the red onion.", "add oil.", "stir the soup."],
    }
    sentences = [text for spoken in opened.values() for text in spoken["text"]]
    assert [text.startswith("now let me show you how to ") for text in sentences] == [False, True] * 4
    assert sorted(text.removeprefix(youcook2.OPENING) for text in sentences) == sorted(
        text for spoken in plain.values() for text in spoken["text"]
    )


@pytest.mark.slow
def test_captions_become_records_and_those_held_out_are_not_trained_on(youcook2, tmp_path: pathlib.Path) -> None:
    truth = own_form(tmp_path)
    annotations = youcook2.read(truth)
    youcook2.write_blank(tmp_path / "blank", annotations)
    youcook2.write_spoken(tmp_path / "said.json", annotations)
    places = {"videos": tmp_path / "blank", "transcripts": tmp_path / "said.json", "annotations": truth}
    data = DataConfig(cache=str(tmp_path / "cache"), **{name: str(path) for name, path in places.items()})
    ours = {name: youcook2.WORDS[f"prepare.{name}"] for name in ("backbone", "fps", "clip_frames", "depth")}
    prepared = prepare(Config(data=data, prepare=PrepareConfig(**ours, workers=1, tokenizer_size=200)))
    decode = load(prepared.tokenizer).decode

    def said(split: str) -> list[str]:
        return [
            decode(record.token_ids[start:stop]).rstrip(" .")
            for record in prepared.source(split)
            for start, stop in zip(record.sentence_offsets[:-1], record.sentence_offsets[1:], strict=True)
        ]

    assert sorted(said("train")) == sorted(text.rstrip(".") for found in TRAINING.values() for *_, text in found)
    held_out = [text for found in HELD_OUT.values() for *_, text in found]
    assert [caption for record in prepared.source("validation") for caption in record.captions] == held_out
    assert not set(held_out) & set(said("train"))
    assert not any(np.any(record.visual_ids) for record in prepared.source("train"))


def accept(youcook2, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Replaces runs by their result; returns the config values of each, in order, as they are started."""
    runs: list[dict[str, str]] = []

    def run(command: list[str], **_: Any) -> types.SimpleNamespace:
        values = dict(argument[2:].split("=", 1) for argument in command[2:])
        runs.append(values)
        scores = {score: {"language_prior": 0.1, "cross_modal": 0.3} for score in youcook2.SCORES}
        write(pathlib.Path(values["workdir"]) / "evaluation" / "zero_shot.json", scores)
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(youcook2, "load", lambda _: types.SimpleNamespace(fill=lambda _: [[], []]))
    return runs


def test_without_videos_words_alone_are_measured_and_it_says_so(youcook2, tmp_path, monkeypatch, capsys) -> None:
    truth = own_form(tmp_path / "data")
    runs = accept(youcook2, monkeypatch)
    youcook2.measure(tmp_path / "data", tmp_path / "out", {"steps": "7"})
    assert [pathlib.Path(values["workdir"]).name for values in runs] == ["captions", "opened"]
    for values in runs:
        assert values["config.steps"] == "7"
        assert values["config.evaluators.zero_shot.template"] == "now let me show you how to [MASK] the [MASK]."
        assert values["config.evaluators.zero_shot.verbs"] == "45"
        assert values["config.data.annotations"] == str(truth)
        assert values["config.data.videos"] == str(tmp_path / "out" / "blank")
    assert [values["config.data.transcripts"] for values in runs] == [
        str(tmp_path / "out" / f"{name}.json") for name in ("captions", "opened")
    ]
    shown = capsys.readouterr().out
    assert "holds no video that is annotated: the words alone were measured" in shown
    assert "| the paper: VideoBERT, language prior | 0.4 | 6.9 | 7.7 | 15.3 |" in shown
    assert "| ours, words only, trained on the captions, as they are | 10.0 | 10.0 | 10.0 | 10.0 |" in shown


@pytest.mark.parametrize("subtitled", [False, True])
def test_with_videos_they_are_trained_on_and_asked_about(
    youcook2, tmp_path, monkeypatch, capsys, subtitled: bool
) -> None:
    own_form(tmp_path / "data")
    (tmp_path / "data" / "training").mkdir()
    for name in ("a.mp4", "c.mkv", "unknown.mp4", *(["a.en.vtt"] if subtitled else [])):
        (tmp_path / "data" / "training" / name).write_bytes(b"0")
    runs = accept(youcook2, monkeypatch)
    youcook2.measure(tmp_path / "data", tmp_path / "out", {"steps": "7"})
    *_, values = runs
    assert pathlib.Path(values["workdir"]).name == "video"
    assert values["config.data.videos"] == str(tmp_path / "data")
    assert values.get("config.data.transcripts") == (None if subtitled else str(tmp_path / "out" / "captions.json"))
    heard = "subtitles" if subtitled else "captions in place of speech"
    assert f"| ours, 2 videos and {heard}, with video | 30.0 |" in capsys.readouterr().out


def test_a_run_that_fails_ends_the_benchmark_with_its_code(youcook2, tmp_path, monkeypatch) -> None:
    own_form(tmp_path / "data")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: types.SimpleNamespace(returncode=130))
    with pytest.raises(SystemExit) as ended:
        youcook2.measure(tmp_path / "data", tmp_path / "out", {"steps": "7"})
    assert ended.value.code == 130
