"""Benchmarks are programs, not modules of a package: these tests open them by their paths."""

import importlib.util
import pathlib
import types
from collections.abc import Callable

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def benchmark_module() -> Callable[[str], types.ModuleType]:
    """A function from a path below `benchmarks/` to the module."""

    def load(path: str) -> types.ModuleType:
        spec = importlib.util.spec_from_file_location(pathlib.PurePath(path).stem, FOLDER / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
