"""Examples of views: those of their videos, seen otherwise; and what training reads beside them."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax import tasks
from videobert_jax.config import (
    AnsweringConfig,
    ClassificationConfig,
    Config,
    RecommendationConfig,
    RetrievalConfig,
    TaskConfig,
)
from videobert_jax.data.augmentation import Augmentation
from videobert_jax.data.prepared import TRAIN, VALIDATION, Prepared
from videobert_jax.data.records import Record
from videobert_jax.data.rows.labelled import LabelledRows
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation import held_out
from videobert_jax.inference import examples as inference_examples
from videobert_jax.tasks import recommendation
from videobert_jax.tasks.task import Task
from videobert_jax.training import loop, training_data
from videobert_jax.training.workdir import Workdir
from videobert_jax.visual_words.vocabulary import fit

VIEWS = 2
VISUAL = tiny_run.TOKENS.visual_size
LABELS = "label,youtube_id,time_start,time_end,split\n" + "".join(
    f"{name},video{number},{start},{start + 6},{split}\n"
    for number, name, start, split in (
        (0, "cut", 6, "train"),
        (1, "pour", 12, "train"),
        (2, "move left", 0, "train"),
        (100, "cut", 6, "validation"),
        (101, "move left", 0, "validation"),
    )
)
HISTORIES = "user,item,timestamp\n" + "".join(f"u,video{number},{time}\n" for time, number in enumerate((0, 1, 2, 3)))


class Words:
    """A tokenizer that knows one word."""

    @staticmethod
    def encode(text: str) -> list[int]:
        return [9] * len(text.split())


def viewed(record: Record, number: int) -> Record:
    """As if `prepare` had made a view, at half the pace: other clips, twice as many, half as long by the same clock."""
    ids = (np.repeat(record.visual_ids, 2) + number) % VISUAL
    return dataclasses.replace(record, visual_ids=ids.astype(np.int32), clip_seconds=0.5)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = Prepared(tiny_run.write_prepared(tmp_path_factory.mktemp("views") / "prepared"))
    caption = {"captions": ("cut it",), "caption_starts": np.zeros(1, np.float32), "caption_ends": np.full(1, 6.0)}
    for number in range(1, VIEWS + 1):
        views = [dataclasses.replace(viewed(one, number), **caption) for one in folder.source(TRAIN)]
        write_records(folder.records, f"view{number}", views, records_per_shard=16)
    folder.manifest.write_text(json.dumps({"config": {"view_flip": True}}))
    fit(np.random.default_rng(0).normal(size=(400, 4)), 4, 3, 0).save(folder.tree)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "labels.csv").write_text(LABELS)
    (folder / "histories.csv").write_text(HISTORIES)
    return folder


def config_of(section: TaskConfig | None = None, **data: Any) -> Config:
    config = tiny_run.tiny_config(pathlib.Path("cache"), data=data)
    return config if section is None else tiny_run.measured_by(dataclasses.replace(config, task=section))


def labelled(files: pathlib.Path, **data: Any) -> Config:
    section = ClassificationConfig(labels=str(files / "labels.csv"), classes="cut;pour;move left")
    return config_of(section, **data)


def told(examples: Sequence[Any]) -> list[tuple[str, int, int]]:
    return [(one.video_id, one.start_clip, len(one.segment.visual_ids)) for one in examples]


def test_views_are_no_splits_to_evaluate_on(prepared: Prepared) -> None:
    assert prepared.splits == (TRAIN, VALIDATION)
    assert prepared.views == ("view1", "view2")
    assert [prepared.may_mirror(split) for split in (TRAIN, "view1", VALIDATION)] == [False, True, False]


def test_labels_are_of_the_same_seconds_of_a_view(prepared: Prepared, files: pathlib.Path) -> None:
    task = tasks.make_task(labelled(files), tiny_run.TOKENS)
    assert told(task.examples(prepared, TRAIN)) == [("video0", 6, 6), ("video1", 12, 6), ("video2", 0, 6)]
    plain, seen = (task.examples(prepared, split) for split in (TRAIN, "view1"))
    assert told(seen) == [("video0", 12, 12), ("video1", 24, 12)]
    np.testing.assert_array_equal(seen[0].segment.visual_ids, (np.repeat(plain[0].segment.visual_ids, 2) + 1) % VISUAL)
    assert seen[0].words == plain[0].words


def test_labels_that_name_a_side_are_of_views_that_are_not_mirrored(
    prepared: Prepared, files: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks.make_task(labelled(files), tiny_run.TOKENS)
    monkeypatch.setattr(Prepared, "may_mirror", lambda *_: False)
    assert told(task.examples(prepared, "view1"))[2:] == [("video2", 0, 12)]


def test_questions_that_name_a_side_are_asked_of_videos_alone(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    from videobert_jax.formats.questions import Question
    from videobert_jax.tasks import answering

    asked = [Question("video0", "what is left of it", "pan"), Question("video0", "what is it", "pan")]
    monkeypatch.setattr(answering, "questions_of", lambda *_: asked)
    monkeypatch.setattr(answering.tokenizer, "load", lambda _: Words)
    section = AnsweringConfig(classes="pan;pot")
    assert [len(answering.examples_of(section, prepared, split)) for split in (TRAIN, "view2")] == [2, 1]


def test_viewers_see_views_of_training_videos(prepared: Prepared, files: pathlib.Path) -> None:
    section = RecommendationConfig(histories=str(files / "histories.csv"))
    plain, seen = (recommendation.examples_of(section, prepared, split) for split in (TRAIN, "view1"))
    assert [one.video_id for one in plain] == [one.video_id for one in seen] != []
    assert {len(one.next.visual_ids) for one in plain} == {24}
    assert {len(each.visual_ids) for one in seen for each in (one.next, *one.history)} == {48}
    assert {len(one.visual_ids) for one in recommendation.catalogue(prepared).values()} == {24}


def test_training_draws_videos_and_views(prepared: Prepared, files: pathlib.Path) -> None:
    pretraining = tasks.make_task(config_of(), tiny_run.TOKENS)
    examples = training_data.examples_of(pretraining, prepared)
    assert len(examples) == 40 * (1 + VIEWS)
    assert [examples[index].clip_seconds for index in (39, 40, 119)] == [1.0, 0.5, 0.5]
    task = tasks.make_task(labelled(files), tiny_run.TOKENS)
    assert len(training_data.examples_of(task, prepared)) == 3 + 2 * VIEWS


def test_a_retrieved_caption_is_of_the_view(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    from videobert_jax.tasks import retrieval

    monkeypatch.setattr(retrieval.tokenizer, "load", lambda _: Words)
    pairs = retrieval.pairs_of(RetrievalConfig(), prepared, "view1")
    assert {len(pair.segment.visual_ids) for pair in pairs} == {12}


def test_rows_are_the_very_same_if_nothing_is_augmented(prepared: Prepared, files: pathlib.Path) -> None:
    for config in (config_of(), labelled(files)):
        task = tasks.make_task(config, tiny_run.TOKENS)
        assert training_data.row_of(task, config, prepared) is task.row


@pytest.mark.parametrize("name", ["neighbours", "drop_words", "drop_clips"])
def test_each_switch_is_what_training_rows_apply(prepared: Prepared, files: pathlib.Path, name: str) -> None:
    config = labelled(files, **{name: 0.3})
    task = tasks.make_task(config, tiny_run.TOKENS)
    row: Any = training_data.row_of(task, config, prepared)
    shares = {key: getattr(row.augmentation, key) for key in ("neighbours", "drop_words", "drop_clips")}
    assert shares == {**dict.fromkeys(shares, 0.0), name: 0.3}
    assert isinstance(task.row, LabelledRows)
    assert task.row.augmentation is None


def test_neighbours_are_words_that_training_records_have(prepared: Prepared, files: pathlib.Path) -> None:
    config = labelled(files, neighbours=0.3)
    row: Any = training_data.row_of(tasks.make_task(config, tiny_run.TOKENS), config, prepared)
    table = row.augmentation.table
    used = {int(word) for record in prepared.source(TRAIN) for word in record.visual_ids}
    assert table.shape[0] == 64
    assert set(table[table >= 0].tolist()) == used  # every word in use has brothers in use here
    families = [{word, *row[row >= 0].tolist()} for word, row in enumerate(table) if word in used]
    assert all(len({word // 4 for word in family}) == 1 for family in families)


def test_a_task_whose_rows_cannot_be_augmented_says_so(prepared: Prepared) -> None:
    config = config_of(drop_clips=0.1)
    task = dataclasses.replace(tasks.make_task(config, tiny_run.TOKENS), row=object())
    with pytest.raises(
        ConfigError, match=r"drop_clips are 0\.0, 0\.0 and 0\.1, expected 0: rows of the task 'pretraining'"
    ):
        training_data.row_of(task, config, prepared)


class Stop(Exception):
    """Ends a function under test at what it calls."""


def test_training_alone_is_augmented(
    prepared: Prepared, files: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = labelled(files, drop_clips=0.5, cache=str(tmp_path))
    task = tasks.make_task(config, tiny_run.TOKENS)
    asked: list[tuple[int, Augmentation | None]] = []

    def caught(examples: Any, row: Any, *_: Any) -> None:
        asked.append((len(examples), row.augmentation))
        raise Stop

    monkeypatch.setattr(loop.batching, "dataset", caught)
    monkeypatch.setattr(held_out, "validation_batches", caught)
    with pytest.raises(Stop):
        loop.train(config, task, {}, Workdir(tmp_path / "run"), prepared)
    model: Any = type("Model", (), {"task": task, "config": config, "tokens": tiny_run.TOKENS})()
    with pytest.raises(Stop):
        held_out.evaluate(model, prepared, held_out.HeldOutConfig())
    (training, augmentation), evaluation = asked
    assert training == 3 + 2 * VIEWS
    assert augmentation is not None
    assert augmentation.drop_clips == 0.5
    assert evaluation == (2, None)
    plain: Task = tasks.make_task(labelled(files), tiny_run.TOKENS)
    found = inference_examples.all_of(model, prepared, VALIDATION)
    (batch, _), *_ = inference_examples._batches(model, found, 1)
    row = plain.row(found[: plain.group], np.random.default_rng(0))
    assert all(np.array_equal(batch[name][0], array) for name, array in row.items())
