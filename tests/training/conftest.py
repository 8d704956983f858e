"""A prepared folder and a cache of compiled programs, shared by the tests of this folder."""

import pathlib
from collections.abc import Iterator

import jax
import pytest
import tiny_run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tiny_run.write_prepared(tmp_path_factory.mktemp("training") / "prepared")


@pytest.fixture
def cache(prepared: pathlib.Path) -> Iterator[pathlib.Path]:
    """The compilation cache of runs on `prepared`; restores the settings of the process after each test."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    yield prepared.parent / "cache"
    for name, value in before.items():
        jax.config.update(name, value)
