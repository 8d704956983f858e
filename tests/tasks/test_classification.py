"""Labelled segments: which there are, what a row holds of them, and what a network makes of it."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run

from videobert_jax import tasks
from videobert_jax.config import ClassificationConfig, Config
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.labelled import Labelled, encode
from videobert_jax.errors import ConfigError
from videobert_jax.tasks import classification

HEADER = "label,youtube_id,time_start,time_end,split\n"
# Videos 0 to 39 are trained on, 100 to 109 held out; each has 24 clips of a second and a sentence every six.
ROWS = [f"{('cut', 'pour')[n % 2]},video{n},6,12,train" for n in range(0, 40, 2)]
ROWS += [f"stir,video{n},0,24,train" for n in (1, 3)] + [f"cut,video{n},3,9,validation" for n in range(100, 104)]
ROWS += ["sing,video105,0,3,validation", "stir,video106,0,3,validation", "cut,video107,30,40,validation"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tiny_run.write_prepared(tmp_path_factory.mktemp("labelled") / "prepared"))


@pytest.fixture
def labels(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + "\n".join(ROWS) + "\n")
    return path


def config_of(labels: pathlib.Path | str, **section: Any) -> Config:
    task = ClassificationConfig(labels=str(labels), **section)
    config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=task)
    return tiny_run.measured_by(config)


def examples_of(prepared: Prepared, config: Config, split: str) -> list[Labelled]:
    task = tasks.make_task(config, tiny_run.TOKENS)
    return list(task.examples(prepared, split))


def test_classes_are_the_labels_of_training_videos_the_commonest_first(
    prepared: Prepared, labels: pathlib.Path
) -> None:
    config = tasks.complete(config_of(labels), prepared)
    assert config.task.classes == "cut;stir"
    assert tasks.complete(config, prepared) == config
    named = config_of(labels, classes="stir; cut")
    assert tasks.complete(named, prepared) == named


def test_segments_have_the_clips_and_the_words_of_their_spans(
    prepared: Prepared, labels: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(labels, classes="cut;stir")
    found = examples_of(prepared, config, "validation")
    assert [(one.video_id, one.start_clip, len(one.segment.visual_ids), one.labels) for one in found] == [
        *((f"video{n}", 3, 6, (0,)) for n in range(100, 104)),
        ("video106", 0, 3, (1,)),
    ]
    assert found[0].words == found[0].segment.spoken != ()
    assert [record.getMessage() for record in caplog.records] == [
        (
            "labels of the split validation: 1 of 7 are left out: they have no class of config.task.classes, expected "
            "exactly one (or config.task.multiple)"
        ),
        "labels of the split validation: 1 of 7 are left out: they begin after the end of their video",
    ]


def test_windows_have_the_labels_that_they_share_half_with(prepared: Prepared, labels: pathlib.Path) -> None:
    section = ClassificationConfig(labels=str(labels), classes="cut;stir", multiple=True, window=8.0, unlabelled=True)
    found = classification.examples_of(section, prepared, "train")
    assert len(found) == 40 * 3
    told = {(one.video_id, one.start_clip): one.labels for one in found}
    assert [told["video0", start] for start in (0, 8, 16)] == [(), (0,), ()]  # the label lasts from 6 to 12
    assert [told["video1", start] for start in (0, 8, 16)] == [(1,)] * 3
    assert [told["video5", start] for start in (0, 8, 16)] == [()] * 3
    only = classification.examples_of(dataclasses.replace(section, window=0.0, unlabelled=False), prepared, "train")
    assert {one.video_id for one in only} == {*(f"video{n}" for n in range(0, 40, 2)), "video1", "video3"}


def test_a_segment_may_have_several_labels_if_the_config_says_so(prepared: Prepared, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + "cut,video0,0,9,train\nstir,video0,0,9,train\n")
    (one,) = examples_of(prepared, config_of(path, classes="cut;stir", multiple=True), "train")
    assert one.labels == (0, 1)
    with pytest.raises(ConfigError, match="which gives no example of the split 'train'"):
        examples_of(prepared, config_of(path, classes="cut;stir"), "train")


@pytest.mark.parametrize(
    ("row", "section", "message"),
    [
        (
            "cut,video100,0,3,train",
            {"classes": "cut;stir"},
            "'train'; the records have it in 'validation'",
        ),
        ("cut,video0,0,3,train", {}, "expected at least two classes to tell apart"),
        ("sing,video100,0,3,validation", {}, "no training video has a label that could be a class"),
        ("a;b,video0,0,3,train", {}, "'a;b' is a label, expected none with ';'"),
        ("cut,video0,0,3,train", {"classes": "cut;stir;cut"}, "has 'cut' twice"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(
    prepared: Prepared, tmp_path: pathlib.Path, row: str, section: dict[str, str], message: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + row + "\n")
    with pytest.raises(ConfigError, match=message):
        config = tasks.complete(config_of(path, **section), prepared)
        examples_of(prepared, config, "validation")


def test_a_trunk_that_nobody_trained_cannot_be_frozen(labels: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="the trunk would stay as random as it began"):
        tasks.make_task(config_of(labels, classes="cut;stir", frozen=True), tiny_run.TOKENS)


@pytest.mark.parametrize(
    ("inputs", "room", "shape"),
    [("both", 40, (1, 3, 12)), ("both", 12, (1, 3, 6)), ("video", 40, (1, 0, 12)), ("words", 40, (0, 3, 0))],
)
def test_a_sequence_has_the_room_it_is_given(
    prepared: Prepared, labels: pathlib.Path, inputs: str, room: int, shape: tuple[int, int, int]
) -> None:
    del labels
    segment = dataclasses.replace(
        classification.Footage(prepared.source("train")).span("video0", 0, 12), spoken=(7, 8, 9)
    )
    ids = encode(segment, segment.spoken, inputs, room, tiny_run.TOKENS).ids
    joiners, words = (ids == tiny_run.TOKENS.joiner).sum(), ((ids > 6) & (ids < tiny_run.TOKENS.text_size)).sum()
    assert (joiners, words, (ids >= tiny_run.TOKENS.text_size).sum()) == shape
    assert len(ids) <= room


def test_packed_and_alone_are_told_alike(prepared: Prepared, labels: pathlib.Path) -> None:
    """Within float32's rounding, whose order the length of a row changes."""
    config = config_of(labels, classes="cut;stir")
    task = tasks.make_task(config, tiny_run.TOKENS)
    params = task.init(jax.random.key(1))
    found = examples_of(prepared, config, "train")[:6]
    rng = np.random.default_rng(0)
    packed = {name: array[None] for name, array in task.row(found, rng).items()}
    assert packed["label_weights"].tolist() == [[1] * 6]
    assert packed["labels"].argmax(-1).tolist() == [[one.labels[0] for one in found]]
    together = task.network.apply({"params": params}, packed).logits[0]
    for number, one in enumerate(found):
        alone = {name: array[None] for name, array in task.row([one], rng).items()}
        assert alone["label_weights"].tolist() == [[1, 0, 0, 0, 0, 0]]
        apart = task.network.apply({"params": params}, alone).logits[0, 0]
        np.testing.assert_allclose(together[number], apart, atol=1e-5)
