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
from videobert_jax.errors import ConfigError, UserError
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
        ("stir,video105,0,3,validation", {"classes": "cut;pour"}, "gives no example of the split 'validation'"),
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


def test_the_only_class_of_all_segments_is_refused(prepared: Prepared, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + "fire,video0,0,3,train\nfire,video1,0,3,train\nfire,video100,0,3,validation\n")
    config = config_of(path, classes="fire", multiple=True)
    with pytest.raises(ConfigError, match=r"is 'fire', and all 2 training examples have it: .*task\.unlabelled=True"):
        examples_of(prepared, config, "train")
    assert len(examples_of(prepared, config, "validation")) == 1
    for changes in ({"unlabelled": True}, {"window": 8.0}):
        found = examples_of(prepared, config_of(path, classes="fire", multiple=True, **changes), "train")
        assert {one.labels for one in found} == {(), (0,)}


def test_a_class_that_is_never_trained_is_told(
    prepared: Prepared, labels: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(labels, classes="cut;sing;stir;whisk", multiple=True)
    assert len(examples_of(prepared, config, "train")) == 22
    told = "config.task.classes has 2 classes that no training example has, which are learnt to be never there: "
    assert f"{told}sing; whisk" in caplog.messages
    caplog.clear()
    assert {one.labels for one in examples_of(prepared, config, "validation")} == {(0,), (1,), (2,)}
    assert not any("no training example" in message for message in caplog.messages)


def test_segments_without_words_are_counted_where_words_alone_are_read(
    prepared: Prepared, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + "cut,video0,0,6,train\ncut,video0,22,24,train\nstir,video1,0,24,train\n")
    found = examples_of(prepared, config_of(path, classes="cut;stir", inputs="words"), "train")
    assert [bool(one.words) for one in found] == [True, False, True]
    assert caplog.messages == [
        (
            "config.task.inputs is 'words', and nothing is said in 1 of 3 segments of the split train: their text is "
            "empty, and all get the same prediction"
        )
    ]
    caplog.clear()
    examples_of(prepared, config_of(path, classes="cut;stir"), "train")
    assert caplog.messages == []


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_rare_labels_are_repeated_in_training(prepared: Prepared, labels: pathlib.Path, share: float) -> None:
    """Of 120 windows 26 have a label; none is more frequent than it has to be."""
    section = {"classes": "cut;stir", "multiple": True, "window": 8.0, "unlabelled": True}
    plain, found = (
        examples_of(prepared, config_of(labels, **section, labelled_share=one), "train") for one in (0.0, share)
    )
    known = sum(bool(one.labels) for one in plain)
    counts = {(one.video_id, one.start_clip, one.labels): 0 for one in plain}
    for one in found:
        counts[one.video_id, one.start_clip, one.labels] += 1
    assert (len(plain), known) == (120, 26)
    assert {count for (_, _, labels), count in counts.items() if not labels} == {1}
    (times,) = {count for (_, _, labels), count in counts.items() if labels}
    assert times * known / len(found) >= share
    assert times == 1 or (times - 1) * known / (len(found) - known) < share
    held_out = (
        examples_of(prepared, config_of(labels, **section, labelled_share=one), "validation") for one in (0, 0.9)
    )
    assert len(next(held_out)) == len(next(held_out))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, r"config\.task\.labels is '.*gone\.csv', expected a file or folder that exists"),
        ("a.csv", "video_id,rank\n", r"its columns are rank, video_id; name another file with --config\.task\.labels"),
        (
            "a.json",
            '{"a": 1}',
            r"does not have the schema of YouCook2, .* name another file with --config\.task\.labels",
        ),
        ("folder", {}, r"folder holds no annotations; name another with --config\.task\.labels"),
    ],
)
def test_an_unknown_set_of_labels_is_refused(
    prepared: Prepared, tmp_path: pathlib.Path, name: str, content: str | dict[str, str] | None, message: str
) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(UserError, match=message):
        tasks.complete(config_of(path), prepared)


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


def test_labels_that_cannot_be_used_are_counted(
    prepared: Prepared, labels: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels.write_text(labels.read_text() + "cut,video5,9,3,train\ncut,video7,nan,3,train\n")
    examples_of(prepared, config_of(labels, classes="cut;pour;stir"), "train")
    assert "config.task.labels has 2 entries that are left out: labels.csv, line " in caplog.text
    assert "[9.0, 3.0], expected 0 <= start < end" in caplog.text


def test_a_video_of_no_known_split_is_not_taken_for_one_without_a_class(
    prepared: Prepared, labels: pathlib.Path
) -> None:
    labels.write_text(HEADER + "cut,video0,0,12,train\ncut,video1,0,12,foo\n")
    config = config_of(labels, classes="cut", multiple=True, unlabelled=True)
    videos = {one.video_id for one in examples_of(prepared, config, "train")}
    assert "video0" in videos
    assert "video2" in videos
    assert "video1" not in videos


def test_labels_after_the_end_are_counted_where_videos_are_cut_into_windows(
    prepared: Prepared, labels: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels.write_text(HEADER + "cut,video0,0,12,train\ncut,video1,30,40,train\n")
    examples_of(prepared, config_of(labels, classes="cut", multiple=True, window=3.0), "train")
    assert "1 of 2 are left out: they begin after the end" in caplog.text
