"""An index of what a model sees, and the program that builds and searches it."""

import dataclasses
import importlib.util
import json
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run
from absl.testing import flagsaver
from written_records import write_records

from videobert_jax import tasks, tokenizer
from videobert_jax.config import (
    ClassificationConfig,
    PretrainingConfig,
    RecommendationConfig,
    RetrievalConfig,
    RetrievalScoresConfig,
)
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError, UserError
from videobert_jax.evaluation import retrieval
from videobert_jax.inference import recommend, rerank, tags, vectors
from videobert_jax.inference.index import Index, cut
from videobert_jax.inference.model import Model
from videobert_jax.tasks.recommendation import catalogue

ROOT = pathlib.Path(__file__).parent.parent.parent
CAPTIONS = ("cut the apple", "stir it", "cut it")
WATCHED = {"u1": (0, 1, 20), "u2": (0, 2), "u3": (3, 21, 22)}


def _program() -> Any:
    spec = importlib.util.spec_from_file_location("launch_search", ROOT / "launch" / "search.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SEARCH = _program()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("search") / "prepared")
    shutil.rmtree(folder / "records")
    for split, numbers in (("train", range(6)), ("validation", range(10, 16)), ("test", range(20, 26))):
        records = [
            dataclasses.replace(
                tiny_run._record(number),
                captions=("mix all", CAPTIONS[number % 3]) if number % 4 else (),
                caption_starts=np.array([0, 2] if number % 4 else [], np.float32),
                caption_ends=np.array([1, 12] if number % 4 else [], np.float32),
            )
            for number in numbers
        ]
        write_records(folder / "records", split, records)
    tokenizer.train([*CAPTIONS, "mix all"], 100).save(folder / "tokenizer")
    (folder / "vocabulary" / "tree.npz").write_bytes(b"words")
    return Prepared(folder)


@pytest.fixture(scope="module")
def models(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    path = tmp_path_factory.mktemp("histories") / "histories.csv"
    rows = [f"{name},video{one},{time}" for name, watched in WATCHED.items() for time, one in enumerate(watched)]
    path.write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    sections = {
        "retrieval": RetrievalConfig(),
        "recommendation": RecommendationConfig(histories=str(path)),
        "moderation": ClassificationConfig(classes="knife;fire", multiple=True),
        "sentiment": ClassificationConfig(classes="good;bad"),
        "demo": PretrainingConfig(max_predictions=12),
    }
    found: dict[str, Model] = {}
    for name, section in sections.items():
        config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=section)
        task = tasks.make_task(config, tiny_run.TOKENS)
        alike = next((one for one in found.values() if one.task.network == task.network), None)
        params = (
            jax.jit(task.init)(jax.random.key(1))
            if alike is None
            else jax.tree.map(lambda leaf: leaf * 1.5, alike.params)
        )
        found[name] = Model(config, task, params, prepared)
    return found


@pytest.fixture(scope="module")
def index(models: dict[str, Model], prepared: Prepared) -> Index:
    tagged = tags.tagger({"unsafe": models["moderation"], "sentiment": models["sentiment"]})
    return Index.of(models["retrieval"], prepared, ("test",), 10.0, tagged)


def test_videos_are_indexed_whole_or_in_windows(index: Index, prepared: Prepared) -> None:
    spans = [(one.video_id, one.start, one.end) for one in index.entries]
    assert spans[:3] == [("video20", 0.0, 10.0), ("video20", 10.0, 20.0), ("video20", 14.0, 24.0)]
    assert len(spans) == 18
    assert [one.text for one in index.entries[3:6]] == ["cut the apple", "cut the apple", index.entries[5].text]
    assert index.entries[5].text not in CAPTIONS, "what is said"
    whole = list(cut(prepared.source("test"), 0.0))
    assert [(one.video_id, span, len(one.visual_ids)) for one, span in whole] == [
        (f"video{number}", (0.0, 24.0), 24) for number in range(20, 26)
    ]


def test_a_vector_is_that_of_the_segment(index: Index, models: dict[str, Model], prepared: Prepared) -> None:
    footage = Footage(prepared.source("test"))
    segment = footage.span("video21", 10.0, 20.0)
    assert segment is not None
    expected = vectors.of_segments(models["retrieval"], [segment], "both")[0]
    np.testing.assert_allclose(index.vectors[4], expected, atol=1e-5)
    (best, *_) = models["retrieval"].search(segment, index)
    assert (best.place, pytest.approx(best.score)) == (4, 1.0)


def test_tags_are_what_classifiers_say(index: Index) -> None:
    for one in index.entries:
        assert one.tags.keys() == {
            *("unsafe", "unsafe/knife", "unsafe/fire"),
            *("sentiment", "sentiment/good", "sentiment/bad"),
        }
        assert one.tags["unsafe"] == max(one.tags["unsafe/knife"], one.tags["unsafe/fire"])
        assert one.tags["sentiment/good"] + one.tags["sentiment/bad"] == pytest.approx(1)
        assert one.tags["sentiment"] == ("good" if one.tags["sentiment/good"] > 0.5 else "bad")


def test_models_that_cannot_search_are_refused(index: Index, models: dict[str, Model], prepared: Prepared) -> None:
    with pytest.raises(UserError, match="'classification', expected retrieval or recommendation"):
        Index.of(models["sentiment"], prepared)
    with pytest.raises(UserError, match=r"which --tags names x, was trained for .*='retrieval'"):
        tags.tagger({"x": models["retrieval"]})
    with pytest.raises(UserError, match="has no split 'testing', expected some of train, validation, test"):
        Index.of(models["retrieval"], prepared, ("testing",))
    with pytest.raises(UserError, match="not made by the model of"):
        models["recommendation"].recommend([], index)
    with pytest.raises(UserError, match="the text is '', expected words to search with"):
        models["retrieval"].search("", index)
    own = Index.of(models["recommendation"], prepared)
    with pytest.raises(UserError, match="'recommendation', expected retrieval, which alone compares texts"):
        models["recommendation"].search("cut it", own)
    with pytest.raises(UserError, match="the history is empty"):
        models["recommendation"].recommend([], own)
    with pytest.raises(UserError, match="'retrieval', expected recommendation"):
        recommend.recommends(models["retrieval"])


def test_data_with_other_words_are_refused(
    models: dict[str, Model], prepared: Prepared, tmp_path: pathlib.Path
) -> None:
    other = Prepared(tmp_path / "other")
    shutil.copytree(prepared.folder, other.folder)
    other.tree.write_bytes(b"other")
    with pytest.raises(UserError, match=r"tree.npz is not that of .*prepared together"):
        Index.of(models["retrieval"], other)


def test_a_trained_model_is_recognised(index: Index, models: dict[str, Model]) -> None:
    model = models["retrieval"]
    index.require_model(model)
    params = jax.tree.map(lambda leaf: leaf, model.params)
    params["projection"]["kernel"] = params["projection"]["kernel"].at[0, 0].add(1e-6)
    with pytest.raises(UserError, match="build it again"):
        index.require_model(dataclasses.replace(model, params=params))


def test_a_viewer_gets_what_is_new(models: dict[str, Model], prepared: Prepared) -> None:
    model, videos = models["recommendation"], catalogue(prepared)
    index = Index.of(model, prepared, prepared.splits)
    found = model.recommend([videos["video20"], videos["video1"]], index, top=100)
    assert {one.entry.video_id for one in found} == videos.keys() - {"video20", "video1"}
    viewer = recommend.mean(
        [index.vectors[place] for place, one in enumerate(index.entries) if one.video_id in ("video20", "video1")]
    )
    np.testing.assert_allclose(
        [one.score for one in found], [index.vectors[one.place] @ viewer for one in found], atol=1e-5
    )


# Re-ranking.


def test_the_alignment_of_a_pair_does_not_depend_on_the_others(models: dict[str, Model], prepared: Prepared) -> None:
    model, footage = models["demo"], Footage(prepared.source("test"))
    pairs = [
        (tuple(range(7, 7 + words)), footage.span(video_id, 0.0, 24.0))
        for words, video_id in zip((9, 20, 60, 30), footage.video_ids, strict=False)
    ]
    together = rerank.alignments(model, pairs)
    assert together.shape == (4,)
    alone = np.concatenate([rerank.alignments(model, [pair]) for pair in pairs])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert rerank.alignments(model, []).shape == (0,)
    with pytest.raises(UserError, match="'retrieval', which does not tell whether text and video match"):
        rerank.alignments(models["retrieval"], pairs)


def test_only_the_candidates_change_places() -> None:
    scores = np.array([[0.5, 0.9, 0.1, 0.9, 0.4], [0.1, 0.2, 0.3, 0.4, 0.5]], np.float32)
    places = rerank.first(scores, 3)
    assert places.tolist() == [[1, 3, 0], [4, 3, 2]]
    logits = np.array([[-3.0, 2.0, 5.0], [0.0, 0.0, 100.0]])
    for weight, orders in ((0.0, ([1, 3, 0, 4, 2], [4, 3, 2, 1, 0])), (1.0, ([0, 3, 1, 4, 2], [2, 4, 3, 1, 0]))):
        blended = rerank.blend(scores, places, logits, weight)
        assert np.argsort(-blended, axis=1, kind="stable").tolist() == list(orders)
    assert rerank.blend(scores, rerank.first(scores, 9), np.zeros((2, 5)), 1.0) == pytest.approx(scores)


def test_what_was_found_is_ordered_by_both(index: Index, models: dict[str, Model], prepared: Prepared) -> None:
    found = index.search(index.vectors[:1], 4)[0]
    segments = [segment for segment, _ in cut(prepared.source("test"), 10.0)]
    some = [segments[one.place] for one in found]
    logits = rerank.alignments(models["demo"], [((7, 8), one) for one in some])
    again = rerank.reordered(models["demo"], (7, 8), found, some, 0.5)
    expected = {one.place: one.score + 0.5 * logit for one, logit in zip(found, logits, strict=True)}
    assert [one.place for one in again] == sorted(expected, key=lambda place: -expected[place])
    assert {one.place: one.score for one in again} == pytest.approx(expected)


def test_the_weight_is_the_lowest_that_is_best() -> None:
    scores = np.array([[0.5, 0.4], [0.5, 0.4]], np.float32)
    places, right = rerank.first(scores, 2), np.array([[False, True], [True, False]])
    assert rerank.chosen_weight(scores, places, np.array([[0.0, 1.5], [1.0, 0.0]]), right) == 0.1
    assert rerank.chosen_weight(scores, places, np.array([[0.0, 0.0], [0.0, 0.0]]), right) == 0.0


def test_a_re_ranked_split_is_measured(
    models: dict[str, Model], prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "load", lambda name: models[name])
    section = RetrievalScoresConfig(rerank="demo", candidates=2)
    metrics, details = retrieval.evaluate(models["retrieval"], prepared, section, "test")
    table = retrieval.compared(models["retrieval"], prepared, section, "test")
    first = [table.right[row, places].any() for row, places in enumerate(rerank.first(table.scores, 2))]
    assert metrics["reranked/recall_at_1"] <= np.mean(first)
    assert metrics["reranked/recall_at_5"] == metrics["text_to_video/recall_at_5"]
    assert details["rerank"]["weight"] in rerank.WEIGHTS
    json.dumps(details, allow_nan=False)
    validation, _ = retrieval.evaluate(models["retrieval"], prepared, section, "validation")
    assert "reranked/recall_at_1" not in validation


# The program.


@pytest.fixture
def workdirs(
    models: dict[str, Model], prepared: Prepared, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """Folders whose names are those of the models; indices are written there."""
    for name in models:
        (tmp_path / name).mkdir()
        (tmp_path / name / "prepared.txt").write_text(f"{prepared.folder}\n")
    monkeypatch.setattr(SEARCH, "load", lambda folder: models[pathlib.Path(folder).name])
    return tmp_path


def run(**values: Any) -> None:
    with flagsaver.flagsaver(**values):
        SEARCH.main([])


def test_the_program_builds_and_searches(workdirs: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(workdirs / "retrieval")
    run(workdir=place, build=True, window=10.0, tags=["unsafe=moderation", "sentiment"])
    assert capsys.readouterr().out == f"{place}/index has 18 entries\n"
    run(workdir=place, text="cut it", top=3, json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row.keys() for row in rows] == [{"video_id", "start", "end", "text", "tags", "score"}] * 3
    run(workdir=place, text="cut it", top=3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == [row["video_id"] for row in rows]
    run(workdir=place, text="cut it", where="unsafe<0")
    assert capsys.readouterr().out == "nothing passes the filter\n"
    run(workdir=place, text="cut it", top=18, rerank="demo", candidates=4, json=True)
    again = json.loads(capsys.readouterr().out)
    run(workdir=place, text="cut it", top=18, json=True)
    plain = json.loads(capsys.readouterr().out)
    assert again[4:] == plain[4:]
    assert {(row["video_id"], row["start"]) for row in again[:4]} == {
        (row["video_id"], row["start"]) for row in plain[:4]
    }
    assert [row["score"] for row in again[:4]] == sorted((row["score"] for row in again[:4]), reverse=True)


def test_the_program_recommends_both_ways(
    workdirs: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    models: dict[str, Model],
    prepared: Prepared,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = str(workdirs / "recommendation")
    run(workdir=place, build=True, splits=["train", "test"], tags=["moderation"])
    capsys.readouterr()
    run(workdir=place, viewer="u1", top=99, json=True)
    found = {row["video_id"] for row in json.loads(capsys.readouterr().out)}
    assert found == {f"video{number}" for number in (*range(6), *range(20, 26))} - {"video0", "video1", "video20"}
    run(workdir=place, viewers_for="video0", json=True)
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["u3"]
    with pytest.raises(UserError, match="--viewer is 'u9', expected one of 3 viewers, such as u1, u2, u3"):
        run(workdir=place, viewer="u9")
    with pytest.raises(UserError, match="--viewers_for is 'video99', expected a video of the index or a file"):
        run(workdir=place, viewers_for="video99")

    clip = workdirs / "new.mp4"
    clip.touch()
    monkeypatch.setattr(Model, "watch", lambda self, video: [catalogue(prepared)["video3"]])
    run(workdir=place, viewers_for=str(clip))
    assert {line.split()[-1] for line in capsys.readouterr().out.splitlines()} == {"u1", "u2", "u3"}
    run(workdir=place, video=str(clip), top=1)
    assert capsys.readouterr().out.split()[1:3] == ["1.000", "video3"]


def test_one_query_at_a_time(workdirs: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"the queries are \['text', 'viewer'\], expected --build or exactly one of"):
        run(workdir=str(workdirs / "retrieval"), text="cut it", viewer="u1")
    with pytest.raises(ConfigError, match=r"the queries are \[\], expected --build or exactly one"):
        run(workdir=str(workdirs / "retrieval"))
    with pytest.raises(ConfigError, match="holds no index"):
        run(workdir=str(workdirs / "retrieval"), text="cut it")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"viewers_for": "video3", "where": "a<1"}, "without --viewers_for"),
        ({"viewer": "u1", "rerank": "runs/demo"}, "with --text alone"),
        ({"text": "cut it", "tags": ["a"]}, "with --build alone"),
        ({"build": True, "splits": ["test", "test"]}, "--splits names test, test, expected different names"),
        ({"build": True, "tags": ["a=x", "a=y"]}, "--tags names a, a"),
        ({"build": True, "window": float("nan")}, "--window is nan, expected seconds"),
    ],
)
def test_flags_that_would_be_ignored_are_refused(
    tmp_path: pathlib.Path, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        run(workdir=str(tmp_path), **options)


def test_a_file_is_no_place_for_an_index(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="which is a file; expected a folder"):
        run(workdir=str(tmp_path), build=True, index=str(tmp_path / "file"))
