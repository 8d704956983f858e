"""What the tests of this folder share: a prepared folder, and the run that none disturbed."""

import os
import pathlib
import subprocess
import sys

import pytest
from member import TWO, Run

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


@pytest.fixture(scope="session")
def unbroken(prepared: pathlib.Path) -> Run:
    """Twelve steps in two processes."""
    run = Run(prepared, prepared.parent / "unbroken")
    assert run.to_the_end(2, **TWO) == [0, 0], run.output(0) + run.output(1)
    assert run.turns.read_text() == "01"  # the second waited for the first
    return run
