"""Moments that texts describe: what is embedded when, and QVHighlights' protocol over it."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax import tasks, tokenizer
from videobert_jax.config import ClassificationConfig, MomentScoresConfig, RetrievalConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.records import Record
from videobert_jax.errors import ConfigError, DamagedError, UserError
from videobert_jax.evaluation import moments
from videobert_jax.evaluation.moments import Asked
from videobert_jax.formats.moments import MomentQuery
from videobert_jax.inference import curves, locate, vectors
from videobert_jax.inference.curves import MomentRule
from videobert_jax.inference.lengths import Lengths
from videobert_jax.inference.locate import Settings
from videobert_jax.inference.model import Model

TEXTS = ("cut the apple", "stir it", "the chapter on apples")
SAMPLES = tiny_run.CLIPS // 2  # of 2 seconds


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("moments") / "prepared")
    shutil.rmtree(folder / "records")
    for split, numbers in (("train", (0, 1)), ("validation", (10, 11)), ("test", (20, 21, 22))):
        write_records(folder / "records", split, [tiny_run._record(number) for number in numbers])
    tokenizer.train(list(TEXTS), 100).save(folder / "tokenizer")
    return Prepared(folder)


@pytest.fixture(scope="module")
def model(prepared: Prepared) -> Model:
    config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=RetrievalConfig())
    task = tasks.make_task(config, tiny_run.TOKENS)
    return Model(config, task, task.init(jax.random.key(1)), prepared)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many segments each call embeds."""
    counts: list[int] = []
    of_segments = vectors.of_segments

    def counting(model: Model, segments: Any, inputs: str) -> np.ndarray:
        counts.append(len(segments))
        return of_segments(model, segments, inputs)

    monkeypatch.setattr(vectors, "of_segments", counting)
    return counts


def test_a_video_is_embedded_once_for_all_questions(model: Model, embedded: list[int]) -> None:
    video = tiny_run._record(30)
    first = model.locate(video, "cut the apple", top=3)
    assert embedded == [len(locate.WINDOWS) * SAMPLES]
    assert model.locate(video, "stir it", top=3) != first
    assert model.locate(video, "cut the apple", top=3) == first
    assert len(embedded) == 1
    model.locate(tiny_run._record(31), "stir it")
    assert len(embedded) == 2


def test_moments_are_those_of_the_mean_similarity(model: Model) -> None:
    video = tiny_run._record(30)
    footage, (text,) = Footage([video]), vectors.of_texts(model, [model.words.encode("stir it")])
    curve = []
    for middle in np.arange(SAMPLES) * 2.0 + 1.0:
        around = [footage.span("video30", middle - length / 2, middle + length / 2) for length in locate.WINDOWS]
        curve.append(np.mean([vectors.of_segments(model, [one], "both")[0] @ text for one in around if one]))
    expected = curves.moments(np.array(curve), 2.0, 24.0, MomentRule(), 4)
    found = locate.locate(model, video, "stir it", 4, Settings())
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], atol=1e-5)
    long = Settings(MomentRule(length=1000.0), Lengths(np.log(20.0), {}))
    assert [one.end - one.start for one in locate.locate(model, video, "stir it", 1, long)] == [20.0]


def test_a_file_is_watched_again_only_if_it_has_changed(
    model: Model, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = []

    def watch_whole(path: pathlib.Path, *rest: Any) -> Record:
        watched.append(path)
        return tiny_run._record(30)

    monkeypatch.setattr(locate, "watch_whole", watch_whole)
    monkeypatch.setattr(Model, "vocabulary", None)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"one")
    model.locate(path, "stir it")
    model.locate(str(path), "cut it")
    assert watched == [path]
    (tmp_path / "film.vtt").write_text("WEBVTT\n")
    model.locate(path, "stir it")
    path.write_bytes(b"another")
    model.locate(path, "stir it")
    assert watched == [path] * 3


def test_wrong_questions_are_refused(model: Model, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "vocabulary", None)
    video = tiny_run._record(30)
    with pytest.raises(UserError, match="the text is ' ', expected a few words"):
        model.locate(video, " ")
    with pytest.raises(UserError, match="top is 0, expected a number of moments"):
        model.locate(video, "stir it", top=0)
    with pytest.raises(UserError, match=r"none\.mp4: .*expected"):
        model.locate(tmp_path / "none.mp4", "stir it")
    other = dataclasses.replace(model.config, task=ClassificationConfig(classes="cut;stir"))
    with pytest.raises(UserError, match="'classification' and finds nothing by text"):
        dataclasses.replace(model, config=other).locate(video, "stir it")


def asked(curve: Any, *windows: tuple[float, float], ratings: Any = None, expected: float | None = None) -> Asked:
    seconds = 2.0 * len(curve)
    query = MomentQuery("1", "stir it", "video", seconds, np.array(windows, float), ratings, "validation")
    return Asked(query, np.array(curve, float), seconds, expected)


def test_the_rule_is_the_best_of_the_validation_split() -> None:
    """A high peak beside a long plateau: only a rule that grows with the length finds the plateau."""
    curve = np.full(60, 0.1)
    curve[5], curve[30:45] = 0.5, 0.35
    rule, scores = moments.choose([asked(curve, (60.0, 90.0))], 10)
    assert rule.growth > 0
    assert scores["mean_r1"] >= 0.8
    rule, scores = moments.choose([asked(curve, (10.0, 12.0))], 10)
    assert rule == MomentRule(1, 0.0, 0.0, 0.0, moments.OVERLAP[0])
    assert scores == {"mean_r1": 1.0, "map": 1.0}
    assert moments.choose([], 10) == (MomentRule(), {})


def test_it_is_chosen_how_much_the_expected_length_counts() -> None:
    """The same curve is of a peak or of a plateau, as the words say."""
    curve = np.full(60, 0.1)
    curve[5], curve[30:45] = 0.5, 0.35
    both = [asked(curve, (60.0, 90.0), expected=30.0), asked(curve, (10.0, 12.0), expected=2.0)]
    rule, scores = moments.choose(both, 10)
    assert rule.length > 0
    assert scores["mean_r1"] >= 0.8
    misled = [dataclasses.replace(one, expected=300.0) for one in both]
    assert moments.choose(misled, 10)[0].length == 0


def test_highlights_are_by_the_smoothed_curve() -> None:
    ratings = np.array([[0.0, 0.0], [4.0, 4.0], [0.0, 0.0]])
    scores = moments.highlights([asked([0.0, 0.9, 0.3], (2.0, 4.0), ratings=ratings)], MomentRule(smoothing=1), 0)
    assert scores["model/highlight_map"] == 1.0
    assert scores["model/highlight_hit_at_1"] == 1.0
    assert 0 < scores["chance/highlight_map"] <= 1.0
    assert moments.highlights([asked([0.0, 0.9, 0.3], (2.0, 4.0))], MomentRule(), 0) == {}


def lines(tmp_path: pathlib.Path, **changes: Any) -> MomentScoresConfig:
    path = tmp_path / "moments.jsonl"
    entries = [
        {
            "qid": number,
            "query": TEXTS[number % 3],
            "vid": f"video{video}",
            "duration": 24.0,
            "relevant_windows": [[2 * (number % 3), 8], [10, 22]],
            "relevant_clip_ids": [1, 2],
            "saliency_scores": [[4, 4], [1, 3]],
            "split": split,
        }
        for number, (video, split) in enumerate(
            [(0, "train"), (10, "validation"), (10, "validation"), (11, "validation"), (20, "testing"), (22, "testing")]
        )
    ]
    path.write_text("\n".join(json.dumps({**entry, **changes}) for entry in entries) + "\n")
    return MomentScoresConfig(moments=str(path), top=5, draws=3, worst=1)


def test_a_model_beside_chance_and_the_whole_video(
    model: Model, prepared: Prepared, tmp_path: pathlib.Path, embedded: list[int]
) -> None:
    section = lines(tmp_path)
    metrics, details = moments.evaluate(model, prepared, section, "test")
    assert embedded == [len(locate.WINDOWS) * SAMPLES] * 4  # of two videos for each split
    assert (details["queries"], details["videos"], len(details["worst"])) == (2, 2, 1)
    for name in ("model", "chance", "words", "whole_video"):
        assert 0 <= metrics[f"{name}/map"] <= 1
        assert f"{name}/map_long" not in metrics  # no window is that long
    assert metrics["whole_video/r1_at_0.5"] == 1.0  # 12 of 24 seconds
    assert metrics["whole_video/r1_at_0.7"] == 0.0
    assert {"model/highlight_map", "chance/highlight_hit_at_1"} <= metrics.keys()
    assert details["by_length"]["middle"]["queries"] == 2
    again, _ = moments.evaluate(model, prepared, section, "test")
    assert again == metrics
    json.dumps(details, allow_nan=False)


def test_the_chosen_settings_are_read_again(model: Model, prepared: Prepared, tmp_path: pathlib.Path) -> None:
    path = prepared.folder / "evaluation" / "moments.json"
    path.parent.mkdir()
    try:
        _, details = moments.evaluate(model, prepared, lines(tmp_path), "test")
        path.write_text(json.dumps(details))
        assert locate.settings_of(model).as_dict() == details["settings"]
        assert details["settings"]["lengths"]
        path.write_text(json.dumps({"moments": ""}))
        assert locate.settings_of(model) == Settings()
        path.write_text('{"settings": {"rule": {"growing": 1}, "lengths": null}}')
        with pytest.raises(DamagedError, match=r"moments\.json is damaged"):
            locate.settings_of(model)
    finally:
        shutil.rmtree(path.parent)


def test_queries_that_do_not_belong_to_the_videos_are_refused(
    model: Model, prepared: Prepared, tmp_path: pathlib.Path
) -> None:
    assert moments.evaluate(model, prepared, MomentScoresConfig(), "test").metrics == {}
    with pytest.raises(ConfigError, match=r"moments is 'none\.jsonl', expected a file that exists"):
        moments.evaluate(model, prepared, MomentScoresConfig(moments="none.jsonl"), "test")
    with pytest.raises(ConfigError, match="no query about the videos of split 'test'"):
        moments.evaluate(model, prepared, lines(tmp_path, vid="film"), "test")
    with pytest.raises(ConfigError, match="video 'video10' in the split 'train'; the records have it in 'validation'"):
        moments.evaluate(model, prepared, lines(tmp_path, split="train"), "test")


def test_a_window_after_the_end_of_the_video_is_refused() -> None:
    query = MomentQuery("7", "a cut", "video0", 2000.0, np.array([[3.0, 9.0], [1900.0, 1910.0]]), None, None)
    moments.require_inside(query, 1950.0)
    with pytest.raises(ConfigError, match=r"query 7 .* with a window from 1900 s, but the video lasts 24 s"):
        moments.require_inside(query, 24.0)
