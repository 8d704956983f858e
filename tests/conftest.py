"""Settings that every test runs under."""

import hashlib
import os
import pathlib
import platform
import shutil

# Before jax is imported anywhere: no accelerator is looked for, and a broadcast between ranks is an error.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Compilation is most of the time of small programs, and half of it is optimisation of machine code, which is not what
# is tested here. XLA_FLAGS= with any other value runs the tests with it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# The threads of BLAS wait busily for each other: of small matrices by several processes, most of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Programs that tests start find what lies in this folder.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(pathlib.Path(__file__).parent), os.getenv("PYTHONPATH"))))

import pytest
from absl import flags

CACHE_BYTES = 2**29


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--needs", default="", metavar="PACKAGE", help="the tests that need it, and no others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Chooses the tests marked with the package of --needs; without, those that do with the lock's packages.

    Files with slow tests come first, so that no process has one to do when the other has nothing left.
    """
    needed = {item: {mark.args[0] for mark in item.iter_markers("needs")} for item in items}
    wanted = {config.getoption("needs")} - {""}
    config.hook.pytest_deselected(items=[item for item in items if needed[item] != wanted])
    items[:] = [item for item in items if needed[item] == wanted]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_configure(config: pytest.Config) -> None:
    """Keeps what is compiled for the next session, for all processes of this one; `pytest --cache-clear` removes it."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    if cache is None:  # -p no:cacheprovider
        return
    folder = cache.mkdir(f"compiled-{_processor()}")
    if not hasattr(config, "workerinput") and sum(file.stat().st_size for file in folder.iterdir()) > CACHE_BYTES:
        shutil.rmtree(folder)  # of programs that no longer exist
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def _processor() -> str:
    """Tells apart processors with other instructions, whose machine code is not to be shared."""
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else [platform.processor()]
    features = {line for line in lines if line.startswith(("flags", "Features", "model name"))} or set(lines)
    return hashlib.sha256("\n".join(sorted(features)).encode()).hexdigest()[:8]


@pytest.fixture(autouse=True, scope="session")
def _parsed_flags() -> None:
    """Grain reads absl flags, which only a program's `app.run` parses."""
    flags.FLAGS.mark_as_parsed()
