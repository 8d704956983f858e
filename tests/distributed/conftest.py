"""A prepared folder for the tests of this folder, made in a separate process."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
# For programs that tests start, and for Python 3.11's fork server, which does not inherit `sys.path`.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(HERE), str(HERE.parent / "training"), str(HERE.parent), os.getenv("PYTHONPATH")))
)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("distributed") / "prepared"
    script = "import pathlib, sys, tiny_run; tiny_run.write_prepared(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True)
    return folder
