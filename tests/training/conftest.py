"""A prepared folder and a cache of compiled programs, shared by the tests of this folder."""

import pathlib
from collections.abc import Iterator

import jax
import numpy as np
import pytest
import tiny_run

from videobert_jax.data.prepared import Prepared
from videobert_jax.visual_words.details import Details
from videobert_jax.visual_words.vocabulary import Projection


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tiny_run.write_prepared(tmp_path_factory.mktemp("training") / "prepared")


@pytest.fixture(scope="session")
def detailed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A prepared folder whose records keep features and further words."""
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("detailed") / "prepared", tiny_run.DETAILED)
    tokens, rng = tiny_run.DETAILED, np.random.default_rng(0)
    centroids = rng.normal(size=(tokens.visual_size, tokens.feature_size)).astype(np.float32)
    codebooks = rng.normal(size=(tokens.codebooks, tokens.codebook_size, tokens.feature_size)).astype(np.float32)
    Details(Projection(np.zeros(8, np.float32)), centroids, codebooks).save(Prepared(folder).details)
    return folder


@pytest.fixture
def cache(prepared: pathlib.Path) -> Iterator[pathlib.Path]:
    """The compilation cache of runs on `prepared`; restores the settings of the process after each test."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    yield prepared.parent / "cache"
    for name, value in before.items():
        jax.config.update(name, value)
