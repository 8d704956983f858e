"""What is damaged in a prepared folder is made again, or named with a remedy that is true."""

import pathlib
import shutil
from collections.abc import Callable

import pytest
import tiny_corpus

from videobert_jax.config import Config, PrepareConfig
from videobert_jax.data import records as records_lib
from videobert_jax.errors import PrepareError
from videobert_jax.prepare import pipeline, stages
from videobert_jax.prepare.blocks import Planned
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.prepare.scan import scan


@pytest.fixture(scope="module")
def corpus_and_cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    """Two videos, and a cache in which they have been prepared."""
    folder, cache = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("cache")
    tiny_corpus.write_corpus(folder, videos=2, seconds=6.0)
    prepare(tiny_corpus.config(folder, cache))
    return folder, cache


@pytest.fixture
def settings(corpus_and_cache: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path) -> Config:
    """Those of the corpus with a copy of the cache, to be damaged."""
    corpus, cache = corpus_and_cache
    shutil.copytree(cache, tmp_path / "cache")
    return tiny_corpus.config(corpus, tmp_path / "cache")


@pytest.fixture
def prepared(settings: Config) -> pathlib.Path:
    (directory,) = pathlib.Path(settings.data.cache).glob("prepared-*")
    return directory


def truncate(path: pathlib.Path) -> None:
    content = path.read_bytes()
    path.unlink()  # first, since the features' files are the same as those in other folders
    path.write_bytes(content[: len(content) // 2])


def age(shard: pathlib.Path) -> None:
    """Writes the shard of another schema version."""
    source = records_lib.RecordSource(shard.parent, "validation")
    content = [source[index] for index in range(len(source))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records_lib, "SCHEMA_VERSION", 99)
        records_lib.write_shard(shard, content, "array_record")


@pytest.mark.parametrize(
    ("path", "damage"),
    [
        ("records/videobert-train*", truncate),
        ("records/videobert-validation*", pathlib.Path.unlink),
        ("records/videobert-validation*", age),
        ("records/dataset_info.json", lambda path: path.write_text("[]")),
        ("records", shutil.rmtree),
        ("manifest.json", lambda path: path.write_text("")),
        ("vocabulary", shutil.rmtree),
    ],
)
def test_what_is_damaged_is_made_again(
    settings: Config,
    prepared: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    path: str,
    damage: Callable[[pathlib.Path], object],
) -> None:
    """By the same call, and without work for what is whole."""
    before = tiny_corpus.contents(prepared)
    (target,) = prepared.glob(path)
    damage(target)
    assert prepare(settings, tiny_corpus.here).folder == prepared
    assert tiny_corpus.contents(prepared) == before
    assert ("making the records again, since" in capsys.readouterr().out) == path.startswith("records/")


@pytest.mark.parametrize(
    ("path", "removed"),
    [
        ("unreadable.json", "unreadable.json"),
        ("sentences/train-00000-of-00001.jsonl", "sentences/train-00000-of-00001.jsonl"),
        ("features/video1.npz", ""),
        ("vocabulary/quality.json", "vocabulary"),
        ("vocabulary/tree.npz", "vocabulary"),
        ("records/train-00000-of-00001.json", "records"),
    ],
)
def test_damage_is_named_and_its_remedy_is_true(
    settings: Config, prepared: pathlib.Path, path: str, removed: str
) -> None:
    before = tiny_corpus.contents(prepared)
    (prepared / "manifest.json").unlink()
    if not path.startswith("records/"):
        shutil.rmtree(prepared / "records")
    truncate(prepared / path)
    with pytest.raises(PrepareError, match=rf"{prepared / path} is damaged .*; remove {prepared / removed} and run"):
        prepare(settings, tiny_corpus.here)
    remove = pathlib.Path.unlink if (prepared / removed).is_file() else shutil.rmtree
    remove(prepared / removed)
    assert tiny_corpus.contents(prepare(settings, tiny_corpus.here).folder) == before


@pytest.mark.slow
def test_a_damaged_file_in_the_store_is_made_again(settings: Config, prepared: pathlib.Path) -> None:
    before = tiny_corpus.contents(prepared)
    (prepared / "unreadable.json").unlink()
    (prepared / "manifest.json").unlink()
    (stored,) = prepared.parent.glob("features-*/video1-*.npz")
    truncate(stored)
    (prepared / "features" / "video1.npz").unlink()
    (prepared / "features" / "video1.npz").hardlink_to(stored)
    prepare(settings)
    assert tiny_corpus.contents(prepared) == before


def test_another_schema_of_records_gets_a_folder_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").touch()
    before = pipeline._key(PrepareConfig(), scan(tmp_path))
    monkeypatch.setattr(pipeline, "SCHEMA_VERSION", 99)
    assert pipeline._key(PrepareConfig(), scan(tmp_path)) != before


def test_a_long_name_is_cut_where_it_is_stored(tmp_path: pathlib.Path) -> None:
    names = [tmp_path / f"{'é' * 119}{end}.mp4" for end in "ab"]
    for name in names:
        name.touch()
    planned = [Planned(source.video_id, str(source.video), None, None) for source in scan(tmp_path).sources]
    first, second = map(stages._stored_name, planned)
    assert first != second
    assert first.startswith("é" * 100 + "-")
    assert len(f".{first}.npz.part".encode()) <= 255
