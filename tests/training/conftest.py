"""One prepared folder, and one cache of compiled programs, for all the tests of this folder."""

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
    """The folder that runs on `prepared` keep compiled programs in; whatever a run sets for the process is undone."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    yield prepared.parent / "cache"
    for name, value in before.items():
        jax.config.update(name, value)
