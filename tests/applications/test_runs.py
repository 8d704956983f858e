"""Runs on cores of their own, of a program that stands for `launch/main.py`."""

import json
import pathlib

import pytest

from videobert_jax.applications.runs import Run, run_all
from videobert_jax.errors import UserError

PROGRAM = """
import pathlib, sys
values = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
print("steps", values["config.steps"])
if values["config.steps"] == "0":
    sys.exit("steps is 0, expected more")
with (pathlib.Path(values["workdir"]) / "times").open("a") as file:
    file.write("x")
"""


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch" / "main.py").write_text(PROGRAM)
    return tmp_path


def run(root: pathlib.Path, name: str, steps: int = 5) -> Run:
    return Run(root / name, "configs/base.py", {"steps": str(steps)})


@pytest.mark.parametrize("together", [True, False])
def test_each_is_run_once(root: pathlib.Path, together: bool, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run(root, "a"), run(root, "b"), run(root, "c")]
    run_all(runs[:2], root, together)
    run_all(runs, root, together)
    assert [(one.folder / "times").read_text() for one in runs] == ["x"] * 3
    assert "1/1 c:" in capsys.readouterr().out  # the others were done


def test_another_command_is_run_again(root: pathlib.Path) -> None:
    run_all([run(root, "a")], root)
    run_all([run(root, "a", steps=6)], root)
    assert (root / "a" / "times").read_text() == "xx"
    assert json.loads((root / "a" / "done.json").read_text())["command"][-1] == "--config.steps=6"


def test_a_failure_shows_the_end_of_the_log(root: pathlib.Path) -> None:
    bad = run(root, "bad", steps=0)
    with pytest.raises(UserError, match=r"bad ended with exit code 1; [^\n]*log.txt:\nsteps 0\nsteps is 0"):
        run_all([bad], root)
    assert not bad.is_done()
