"""The next video of a viewer."""

import dataclasses
import math
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run

from videobert_jax import tasks
from videobert_jax.config import Config, RecommendationConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.model.dual_encoder import Outputs
from videobert_jax.objectives.contrastive import NextVideo

ROWS = "user,item,timestamp\n" + "".join(
    f"u{user},{item},{time}\n"
    for user, items in enumerate((["video3", "video0", "video100", "video7"], ["video0", "video1", "gone"], ["video2"]))
    for time, item in enumerate(items)
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tiny_run.write_prepared(tmp_path_factory.mktemp("viewings") / "prepared"))


@pytest.fixture
def config(tmp_path: pathlib.Path) -> Config:
    path = tmp_path / "histories.csv"
    path.write_text(ROWS)
    task = RecommendationConfig(histories=str(path))
    return dataclasses.replace(tiny_run.tiny_config(tmp_path, data={"max_sequences": 4}), task=task)


def test_each_viewing_with_one_before_it_is_an_example(
    prepared: Prepared, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    task = tasks.make_task(config, tiny_run.TOKENS)
    found = {split: task.examples(prepared, split) for split in ("train", "validation", "test")}
    told = {
        split: [(one.user, [each.video_id for each in one.history], one.video_id) for one in examples]
        for split, examples in found.items()
    }
    assert told == {
        "train": [("u0", ["video3"], "video0")],
        "validation": [("u0", ["video3", "video0"], "video100"), ("u1", ["video0"], "video1")],
        "test": [("u0", ["video3", "video0", "video100"], "video7")],
    }
    # What is trained on: video3 and video0 of u0, video0 of u1, video2 of u2.
    assert [one.frequency for one in (*found["train"], *found["test"])] == [0.5, 0.25]
    assert "viewings: 1 of 8 are left out" in caplog.text
    assert "no history" not in caplog.text


def test_viewers_without_a_history_are_counted(
    prepared: Prepared, config: Config, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "histories.csv").write_text(
        "user,item,timestamp,split\nold,video3,1,training\nold,video0,2,testing\nnew,video1,2,testing\n"
    )
    (one,) = tasks.make_task(config, tiny_run.TOKENS).examples(prepared, "test")
    assert one.user == "old"
    assert caplog.messages == [
        "viewings of the split test: 1 of 2 are left out: their viewers have no history: they watched nothing before"
    ]


def test_a_row_has_the_next_video_and_the_last_ones_before(prepared: Prepared, config: Config) -> None:
    task = tasks.make_task(config, tiny_run.TOKENS)
    (one,) = task.examples(prepared, "test")
    longer = dataclasses.replace(one, history=(*one.history, one.history[0]))
    rng = np.random.default_rng(0)
    rows = [task.row([each], rng) for each in (one, longer, dataclasses.replace(one, history=one.history[:1]))]
    assert [row["history_weights"].tolist() for row in rows] == [[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 0, 0]]
    assert not np.array_equal(rows[0]["token_ids"], rows[1]["token_ids"])
    assert {name: (array.shape, array.dtype) for name, array in rows[0].items()} == {
        name: (spec.shape, spec.dtype) for name, spec in task.row.shapes.items()
    }


def test_a_viewer_is_the_mean_of_what_was_watched_and_frequent_videos_count_less() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 4, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    batch = {
        "history_weights": np.array([[0, 1, 1, 1], [0, 1, 0, 0], [0, 1, 1, 0]], np.float32),
        "viewer_weights": np.ones(3, np.float32),
        "user_keys": np.array([1, 2, 2], np.int32),  # the second and the third are of one viewer
        "video_keys": np.array([7, 8, 9], np.int32),
        "log_frequencies": np.log(np.array([0.5, 0.1, 0.4], np.float32)),
    }
    loss, count = NextVideo()(Outputs(jnp.zeros(()), jnp.asarray(vectors), jnp.float32(3.0)), batch)["loss/next"]
    total = 0.0
    for row, others in ((0, (0, 1, 2)), (1, (0, 1)), (2, (0, 2))):
        viewer = (vectors[row] * batch["history_weights"][row][:, None]).sum(axis=0)
        viewer /= np.linalg.norm(viewer)
        scores = {n: 3.0 * float(viewer @ vectors[n, 0]) - float(batch["log_frequencies"][n]) for n in others}
        total += math.log(sum(map(math.exp, scores.values()))) - scores[row]
    np.testing.assert_allclose((loss, count), (total, 3), rtol=1e-5)


def test_viewers_without_a_past_are_refused(prepared: Prepared, config: Config, tmp_path: pathlib.Path) -> None:
    (tmp_path / "histories.csv").write_text("user,item,timestamp\nu1,video1,1\nu2,video2,1\n")
    with pytest.raises(ConfigError, match="has no viewer of the split 'train' with a video before the next"):
        tasks.make_task(config, tiny_run.TOKENS).examples(prepared, "train")


def test_a_history_holds_nothing_of_a_later_split(prepared: Prepared, config: Config, tmp_path: pathlib.Path) -> None:
    rows = ("video3,1,testing", "video2,2,validation", "video0,3,training", "video1,4,training", "video7,5,validation")
    (tmp_path / "histories.csv").write_text("user,item,timestamp,split\n" + "".join(f"u,{row}\n" for row in rows))
    task = tasks.make_task(config, tiny_run.TOKENS)
    found = {
        split: [[each.video_id for each in one.history] for one in task.examples(prepared, split)]
        for split in ("train", "validation")
    }
    assert found == {"train": [["video0"]], "validation": [["video2", "video0", "video1"]]}
