"""One prepared folder for all the tests of this folder, made by a process that they do not share."""

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("distributed") / "prepared"
    script = "import pathlib, sys, tiny_run; tiny_run.write_prepared(pathlib.Path(sys.argv[1]))"
    path = os.pathsep.join(map(str, (TESTS, TESTS / "training", os.environ.get("PYTHONPATH", ""))))
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, env={**os.environ, "PYTHONPATH": path})
    return folder
