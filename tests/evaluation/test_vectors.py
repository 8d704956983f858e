"""Scores of retrieval and of recommendation: what is right for what, and who is compared with whom."""

import dataclasses
import pathlib
import shutil
import types
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax import tasks, tokenizer
from videobert_jax.config import (
    ClassificationConfig,
    Config,
    RecommendationConfig,
    RecommendationScoresConfig,
    RetrievalConfig,
    RetrievalScoresConfig,
)
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError, UserError
from videobert_jax.evaluation import recommendation, retrieval
from videobert_jax.formats.histories import Viewing
from videobert_jax.inference import vectors
from videobert_jax.inference.examples import all_of
from videobert_jax.inference.model import Model
from videobert_jax.metrics import ranking

CAPTIONS = ("cut the apple", "stir it", "cut it")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("vectors") / "prepared")
    shutil.rmtree(folder / "records")
    for split, numbers in (("train", range(6)), ("validation", range(10, 16)), ("test", range(20, 29))):
        records = [
            dataclasses.replace(
                tiny_run._record(number),
                captions=("mix all", CAPTIONS[number % 3]),
                caption_starts=np.array([0, 0], np.float32),
                caption_ends=np.array([12, 12], np.float32),
            )
            for number in numbers
        ]
        write_records(folder / "records", split, records)
    tokenizer.train([*CAPTIONS, "mix all"], 100).save(folder / "tokenizer")
    return Prepared(folder)


def model_of(section: Any, prepared: Prepared) -> Model:
    config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=section)
    task = tasks.make_task(config, tiny_run.TOKENS)
    return Model(config, task, task.init(jax.random.key(1)), prepared)


def test_a_text_is_right_for_all_segments_that_have_it(prepared: Prepared) -> None:
    model = model_of(RetrievalConfig(), prepared)
    texts, segments, right = retrieval.relevance(all_of(model, prepared, "test"))
    assert [one.segment.caption for one in texts] == ["mix all", "cut it", "cut the apple", "stir it"]
    assert [one.video_id for one in segments] == [f"video{number}" for number in range(20, 29)]
    assert right[0].all()
    assert right[1:].sum(axis=0).tolist() == [1] * 9
    assert right[1].tolist() == [number % 3 == 2 for number in range(20, 29)]


def write_labels(path: pathlib.Path, rows: list[tuple[str, int, float, float]]) -> str:
    lines = [f"{label},video{number},{start},{end},testing" for label, number, start, end in rows]
    path.write_text("\n".join(["label,youtube_id,time_start,time_end,split", *lines]) + "\n")
    return str(path)


def test_a_text_is_right_for_all_segments_with_the_same_labels(prepared: Prepared, tmp_path: pathlib.Path) -> None:
    """Captions are of the seconds 0 to 12; labels of others say nothing of them."""
    action = [("cut", number, 0.0, 12.0) for number in (20, 21, 22, 23, 24)] + [("stir", 25, 0.0, 12.0)]
    food = [("apple", 20, 0.0, 12.0), ("apple", 21, 0.0, 12.0), ("jam", 22, 0.0, 12.0), ("apple", 25, 0.0, 12.0)]
    food += [("apple", 23, 0.0, 11.0), ("jam", 20, 0.0, 24.0)]  # of other seconds
    food += [("jam", 24, 0.0, 12.0), ("apple", 24, 0.0, 12.0)]  # two labels
    files = f"{write_labels(tmp_path / 'action.csv', action)}; {write_labels(tmp_path / 'food.csv', food)}"
    kinds = retrieval.kinds(files, Footage(prepared.source("test")))
    cut_apple = (frozenset({"cut"}), frozenset({"apple"}))
    assert kinds == {
        ("video20", 0, 12): cut_apple,
        ("video21", 0, 12): cut_apple,
        ("video22", 0, 12): (frozenset({"cut"}), frozenset({"jam"})),
        ("video24", 0, 12): (frozenset({"cut"}), frozenset({"apple", "jam"})),
        ("video25", 0, 12): (frozenset({"stir"}), frozenset({"apple"})),
    }
    model = model_of(RetrievalConfig(), prepared)
    pairs = all_of(model, prepared, "test")
    texts, segments, plain = retrieval.relevance(pairs)
    _, _, right = retrieval.relevance(pairs, kinds)
    added = {(texts[text].segment.caption, segments[segment].video_id) for text, segment in np.argwhere(right > plain)}
    # "cut it" was written about 20 and "cut the apple" about 21, which are alike.
    assert added == {("cut it", "video21"), ("cut the apple", "video20")}
    assert not (plain > right).any()
    by_section = retrieval.compared(model, prepared, RetrievalScoresConfig(same=files), "test")
    assert np.array_equal(by_section.right, right)
    with pytest.raises(ConfigError, match=r"same names 'no.csv', expected files that exist, separated by ';'"):
        retrieval.kinds("no.csv", Footage(prepared.source("test")))


def test_retrieval_is_by_the_vectors_of_the_network(prepared: Prepared) -> None:
    model = model_of(RetrievalConfig(), prepared)
    metrics, details = retrieval.evaluate(model, prepared, RetrievalScoresConfig(worst=2), "test")
    texts, segments, right = retrieval.relevance(all_of(model, prepared, "test"))

    def row(pair: Any) -> np.ndarray:
        made = {name: array[None] for name, array in model.task.row([pair], np.random.default_rng(0)).items()}
        return np.asarray(model.task.network.apply({"params": model.params}, made).vectors[0])

    scores = np.array([row(one)[0] for one in texts]) @ np.array([row(one)[1] for one in segments]).T
    expected = ranking.retrieval(scores, right)
    for name, value in expected.items():
        assert metrics[f"text_to_video/{name}"] == pytest.approx(value, abs=1e-6), name
    assert metrics["video_to_text/chance"] == pytest.approx(right.mean())
    assert (details["texts"], details["segments"], len(details["worst"])) == (4, 9, 2)


def test_vectors_of_a_model_that_learnt_none_are_refused(prepared: Prepared) -> None:
    model = model_of(ClassificationConfig(classes="cut;stir"), prepared)
    with pytest.raises(UserError, match="'classification', and its vectors cannot be compared"):
        vectors.of_texts(model, [(7, 8)])


WATCHED = {  # by viewer, in order of time
    "u1": (("video0", "train"), ("video1", "validation"), ("video20", "test")),
    "u2": (("video0", "train"), ("video2", "train"), ("video1", "test")),
    "u3": (("video3", "test"),),  # nothing is known
}
HISTORIES = {
    user: [Viewing(user, video, time, split) for time, (video, split) in enumerate(watched)]
    for user, watched in WATCHED.items()
}


def test_what_is_known_ends_before_the_split() -> None:
    names = ["video0", "video1", "video2", "video3", "video20"]
    known, right = recommendation.tables(HISTORIES, names, recommendation.BEFORE["test"], "test")
    assert known.astype(int).tolist() == [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert right.astype(int).tolist() == [[0, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    earlier, later = recommendation.tables(HISTORIES, names, recommendation.BEFORE["validation"], "validation")
    assert earlier.sum() == 3
    assert later.astype(int).tolist()[0] == [0, 1, 0, 0, 0]


def test_co_watched_are_those_that_the_same_viewers_watched() -> None:
    known = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], bool)
    found = recommendation.co_watched(known)
    both, third = 2 / np.sqrt(3 * 2), 1 / np.sqrt(3)
    np.testing.assert_allclose(found[2], [third, both, third], atol=1e-6)


def test_viewers_who_watch_nothing_new_cannot_be_told(prepared: Prepared, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "same.csv"
    path.write_text("user,item,timestamp\n" + "".join(f"u,video0,{time}\n" for time in range(4)))
    model: Any = types.SimpleNamespace(config=Config(task=RecommendationConfig(histories=str(path))))
    with pytest.raises(ConfigError, match="watched a video for the first time"):
        recommendation.evaluate(model, prepared, RecommendationScoresConfig(), "test")


def test_viewers_are_ranked_for_each_video() -> None:
    known = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]], bool)
    right = np.array([[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0]], bool)
    scores = np.array([[9.0, 0.1, 0.9, 0.5], [9.0, 9.0, 0.8, 0.5], [0.3, 9.0, 0.1, 0.5]])
    found = recommendation.to_viewers(scores, known, right, 1)
    # The first video has one candidate, who is right; of the third the model puts one of the two first.
    assert found["viewers/model/recall_at_1"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["viewers/model/ndcg_at_1"] == pytest.approx(1.0)
    # The second viewer watches most, and is wrong for the third video.
    assert found["viewers/popularity/recall_at_1"] == pytest.approx((1 + 0) / 2)
    assert found["viewers/chance/recall_at_1"] == pytest.approx((1 + 1 / 3) / 2)
    assert recommendation.to_viewers(scores, known, np.zeros_like(right), 1) == {}


def test_recommenders_are_compared_on_what_nobody_knows(prepared: Prepared, tmp_path: pathlib.Path) -> None:
    lines = [f"{one.user},{one.video_id},{one.time},{one.split}" for each in HISTORIES.values() for one in each]
    path = tmp_path / "histories.csv"
    path.write_text("\n".join(["user,item,timestamp,split", *lines]) + "\n")
    model = model_of(RecommendationConfig(histories=str(path)), prepared)
    metrics, details = recommendation.evaluate(model, prepared, RecommendationScoresConfig(top=3), "test")
    assert (details["viewers"], details["videos"], details["new_videos"]) == (2, 21, 18)
    # u1 has 19 candidates, of which the one that u2 watched is the popular one; u2 has 19, video1 is that of u1.
    assert metrics["popularity/recall_at_3"] == pytest.approx((2 / 18 + 1) / 2)
    assert metrics["chance/recall_at_3"] == pytest.approx(3 / 19)
    assert metrics["new/chance/recall_at_3"] == pytest.approx(3 / 18)
    assert metrics["new/popularity/recall_at_3"] == metrics["new/chance/recall_at_3"]  # it knows nothing of them
    assert 0 <= metrics["model/ndcg_at_3"] <= 1
    assert metrics["viewers/chance/recall_at_3"] == 1.0  # there are two
