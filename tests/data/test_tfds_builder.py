"""Records are a TFDS dataset and can be published as one under a custom name."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import grain
import numpy as np
import pytest
import synthetic_records as synthetic
import tensorflow_datasets as tfds
from written_records import write_records

from videobert_jax.data.records import FORMATS, Record, RecordSource, fields
from videobert_jax.data.tfds_builder import PreparedVideos
from videobert_jax.errors import RecordError

SPLITS = {"train": synthetic.corpus(5, 2), "validation": [synthetic.record(7, sentences=0), synthetic.record(8)]}
SPLITS["validation"][1] = dataclasses.replace(
    SPLITS["validation"][1],
    video_id="ünïcode",
    captions=(),
    caption_starts=np.zeros(0, np.float32),
    caption_ends=np.zeros(0, np.float32),
)
ABOUT = {"description": "Eighty ways to cook a soup.", "homepage": "https://soups.example", "citation": "@misc{soups}"}


BESIDE = ("tokenizer/vocab.txt", "vocabulary/tree.npz", "tokens.json", "manifest.json")


@pytest.fixture(params=FORMATS)
def prepared(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    """A prepared folder with two splits; the training split has shards of 4."""
    folder = tmp_path / "prepared"
    for split, records in SPLITS.items():
        write_records(folder / "records", split, records, 4, request.param)
    for name in (*BESIDE, "vocabulary/frames/00000.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def publish(prepared: pathlib.Path, **changes: str) -> pathlib.Path:
    """The folder of the datasets."""
    data_dir = prepared.parent / "datasets"
    settings = {"name": "soups", "version": "1.2.0", **ABOUT, **changes}
    PreparedVideos(prepared, **settings, data_dir=data_dir).download_and_prepare()
    return data_dir


def assert_same(example: dict[str, object], record: Record) -> None:
    values = fields(record)
    assert example.keys() == values.keys()
    for name, expected in values.items():
        stored = example[name]
        if name == "video_id":
            assert stored.decode() == expected
        elif name == "captions":
            assert tuple(caption.decode() for caption in stored) == expected
        elif name == "visual_features":
            assert stored == expected
        else:
            np.testing.assert_array_equal(stored, expected, err_msg=name)
            assert not isinstance(expected, np.ndarray) or stored.dtype == expected.dtype, name


@pytest.mark.parametrize("prepared", ["array_record"], indirect=True)
def test_what_is_prepared_is_a_data_set_for_tfds_and_grain_already(prepared: pathlib.Path) -> None:
    for split, records in SPLITS.items():
        source = tfds.builder_from_directory(prepared / "records").as_data_source(split)
        ours = RecordSource(prepared / "records", split)
        examples = list(grain.MapDataset.source(source))
        assert len(examples) == len(ours) == len(records)
        for index, example in enumerate(examples):
            assert_same(example, ours[index])
            assert_same(example, records[index])


def test_a_published_data_set_holds_the_same_records_in_the_same_order(prepared: pathlib.Path) -> None:
    data_dir = publish(prepared)
    from_directory = tfds.builder_from_directory(data_dir / "soups" / "1.2.0")
    for split, records in SPLITS.items():
        by_name = tfds.data_source("soups", split=split, data_dir=data_dir)
        for source in (by_name, from_directory.as_data_source(split)):
            for example, record in zip(grain.MapDataset.source(source), records, strict=True):
                assert_same(example, record)


def test_it_tells_about_itself(prepared: pathlib.Path) -> None:
    info = tfds.builder("soups", data_dir=publish(prepared)).info
    assert (info.full_name, str(info.version)) == ("soups/1.2.0", "1.2.0")
    assert (info.description, info.homepage, info.citation) == tuple(ABOUT.values())
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 10, "validation": 2}


def test_what_gives_the_ids_a_meaning_lies_beside_and_no_frames(prepared: pathlib.Path) -> None:
    folder = publish(prepared) / "soups" / "1.2.0"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {name for name in names if "array_record" not in name} == {*BESIDE, "dataset_info.json", "features.json"}
    for name in BESIDE:
        assert (folder / name).read_text() == name


def test_a_version_that_is_there_stays_and_another_comes_beside(prepared: pathlib.Path) -> None:
    data_dir = publish(prepared)
    before = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    record_format = tfds.builder_from_directory(prepared / "records").info.file_format.value
    write_records(prepared / "records", "train", SPLITS["train"][:3], 4, record_format)
    publish(prepared)
    assert {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()} == before
    publish(prepared, version="2.0.0")
    lengths = {name: len(tfds.data_source(name, split="train", data_dir=data_dir)) for name in ("soups", "soups:1.2.0")}
    assert lengths == {"soups": 3, "soups:1.2.0": 10}


@pytest.mark.parametrize("prepared", ["array_record"], indirect=True)
def test_what_cannot_be_published_is_refused_before_anything_is_written(prepared: pathlib.Path) -> None:
    for name in ("Soups", "my-soups", "1st", "", "a/b"):
        with pytest.raises(ValueError, match=r"expected lowercase letters, digits and underscores"):
            publish(prepared, name=name)
    with pytest.raises(ValueError, match="version"):
        publish(prepared, version="new")
    for part in ("tokens.json", "vocabulary/tree.npz"):
        (prepared / part).rename(prepared / "away")
        with pytest.raises(
            FileNotFoundError, match=rf"there is no .*{part}; name a folder that launch/prepare\.py made"
        ):
            publish(prepared)
        (prepared / "away").rename(prepared / part)
    assert not (prepared.parent / "datasets").exists()


@pytest.mark.parametrize("prepared", ["array_record"], indirect=True)
def test_damaged_records_are_not_published(prepared: pathlib.Path) -> None:
    next((prepared / "records").glob("*validation*")).unlink()
    with pytest.raises(RecordError, match=r"the shard .*videobert-validation.* is missing"):
        publish(prepared)
    assert not (prepared.parent / "datasets" / "soups" / "1.2.0").exists()


@pytest.mark.parametrize("prepared", ["array_record"], indirect=True)
def test_others_need_neither_this_package_nor_tensorflow(prepared: pathlib.Path) -> None:
    data_dir = publish(prepared)
    script = (
        "import sys, tensorflow_datasets as tfds\n"
        "source = tfds.data_source('soups', split='train', data_dir=sys.argv[1])\n"
        "print(len(source), source[3]['video_id'].decode())\n"
        "assert not {'videobert_jax', 'tensorflow', 'jax'} & sys.modules.keys()\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", script, str(data_dir)]
    done = subprocess.run(command, cwd=data_dir, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["10", "video1"], done.stderr
