"""Texts and segments of video in one space."""

import dataclasses
import pathlib
import shutil

import jax
import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax import tasks, tokenizer
from videobert_jax.config import Config, RetrievalConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError

CAPTIONS = ("cut the apple", "cut it")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("pairs") / "prepared")
    starts = np.zeros(2, np.float32)
    records = [
        dataclasses.replace(tiny_run._record(number), captions=CAPTIONS, caption_starts=starts, caption_ends=starts + 6)
        for number in range(4)
    ]
    shutil.rmtree(folder / "records")
    write_records(folder / "records", "train", records)
    words = tokenizer.train(CAPTIONS, 100)
    words.save(folder / "tokenizer")
    return Prepared(folder)


def config_of(**changes: object) -> Config:
    config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache"), **changes), task=RetrievalConfig())
    return tiny_run.measured_by(config)


def test_a_caption_and_its_segment_are_a_pair(prepared: Prepared) -> None:
    task = tasks.make_task(config_of(), tiny_run.TOKENS)
    pairs = task.examples(prepared, "train")
    assert [(one.video_id, one.start_clip, one.segment.caption) for one in pairs] == [
        (f"video{number}", 0, caption) for number in range(4) for caption in CAPTIONS
    ]
    row = task.row(pairs[:3], np.random.default_rng(0))
    assert {name: (array.shape, array.dtype) for name, array in row.items()} == {
        name: (spec.shape, spec.dtype) for name, spec in task.row.shapes.items()
    }
    assert row["pair_weights"].tolist() == [1, 1, 1]
    assert row["sequence_modes"].tolist() == [1, 3] * 3
    assert row["text_keys"][0] == row["text_keys"][2] != row["text_keys"][1]
    assert row["video_keys"][0] == row["video_keys"][1] != row["video_keys"][2]
    part = task.row(pairs[:1], np.random.default_rng(0))
    assert part["pair_weights"].tolist() == [1, 0, 0]


def test_segments_without_words_are_counted_where_words_alone_are_read(
    prepared: Prepared, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(prepared.folder, folder)
    shutil.rmtree(folder / "records")
    records = [tiny_run._record(number) for number in range(2)]
    silent = {"token_ids": np.zeros(0, np.int32), "sentence_offsets": np.zeros(1, np.int32)}
    times = {name: np.zeros(0, np.float32) for name in ("sentence_starts", "sentence_ends")}
    starts = np.zeros(1, np.float32)
    captions = {"captions": ("cut it",), "caption_starts": starts, "caption_ends": starts + 6}
    records = [
        dataclasses.replace(records[0], **captions, **silent, **times),
        dataclasses.replace(records[1], **captions),
    ]
    write_records(folder / "records", "train", records)
    for inputs, told in (("both", 0), ("words", 1)):
        config = dataclasses.replace(config_of(), task=RetrievalConfig(inputs=inputs))
        pairs = tasks.make_task(config, tiny_run.TOKENS).examples(Prepared(folder), "train")
        assert (len(pairs), len(caplog.messages)) == (2, told)
    assert "nothing is said in 1 of 2 segments of the split train: their text is empty" in caplog.text


def test_packed_and_alone_have_the_same_vectors(prepared: Prepared) -> None:
    """Within float32's rounding, whose order the place in a row changes."""
    task = tasks.make_task(config_of(), tiny_run.TOKENS)
    params, rng = task.init(jax.random.key(0)), np.random.default_rng(0)
    pairs = task.examples(prepared, "train")[:3]

    def vectors(some: list) -> np.ndarray:
        row = {name: array[None] for name, array in task.row(some, rng).items()}
        return np.asarray(task.network.apply({"params": params}, row).vectors[0])

    together = vectors(list(pairs))
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    for number, pair in enumerate(pairs):
        np.testing.assert_allclose(vectors([pair])[:2], together[2 * number : 2 * number + 2], atol=1e-5)


def test_half_a_pair_does_not_fit() -> None:
    with pytest.raises(ConfigError, match="max_sequences is 5, expected an even number"):
        tasks.make_task(config_of(data={"max_sequences": 5}), tiny_run.TOKENS)


def test_records_without_captions_are_refused(tmp_path: pathlib.Path) -> None:
    folder = Prepared(tiny_run.write_prepared(tmp_path / "prepared"))
    tokenizer.train(CAPTIONS, 100).save(folder.tokenizer)
    with pytest.raises(ConfigError, match="the split 'train' hold no caption"):
        tasks.make_task(config_of(), tiny_run.TOKENS).examples(folder, "train")
