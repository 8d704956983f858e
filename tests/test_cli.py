"""How a program reports errors and ends."""

import pathlib
import subprocess
import sys

import pytest

from videobert_jax import cli
from videobert_jax.errors import ConfigError, PrepareError

ROOT = pathlib.Path(__file__).parent.parent


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def main(_: list[str]) -> None:
        raise error

    monkeypatch.setattr(cli.app, "run", lambda main, flags_parser: main(["program"]))
    monkeypatch.setattr(sys, "argv", ["launch/program.py"])
    cli.run(main)


@pytest.mark.parametrize("kind", [PrepareError, FileNotFoundError, PermissionError, FloatingPointError])
def test_what_the_user_can_mend_ends_with_its_message(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, kind("choose another"))
    assert caught.value.code == "launch/program.py: choose another"  # printed to standard error; the exit code is 1


def test_what_can_but_fail_again_ends_with_another_code(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, ConfigError("choose another"))
    assert caught.value.code == cli.WRONG == 2
    assert capsys.readouterr().err == "launch/program.py: choose another\n"


@pytest.mark.parametrize("kind", [ValueError, KeyError, AssertionError])
def test_a_fault_of_the_program_keeps_its_traceback(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(kind):
        run(monkeypatch, kind("a fault"))


def test_an_interrupted_program_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, KeyboardInterrupt())
    assert caught.value.code == 130
    assert capsys.readouterr().err == "\nstopped; run the same command to resume\n"


@pytest.mark.parametrize(
    ("program", "override", "message"),
    [
        (
            "main.py",
            "--config.prepare.workers=-1",
            "config.prepare.workers is -1, expected a number in [0, 1024]; set ",
        ),
        (
            "main.py",
            "--profile_steps=15:10",
            "--profile_steps is '15:10', expected FIRST:LAST, numbers of steps such as",
        ),
        *(
            ("main.py", f"--coordinator={place}", f"--coordinator is {place!r}, expected HOST:PORT, with a port in ")
            for place in ("localhost", "", "host:", ":1234", "host:0", "host:65536", "host:http", "::1", "a b:1")
        ),
        ("main.py", "--process_count=0", "flag --process_count=0: 0 is not a positive integer"),
        ("main.py", "--no_such_flag=1", "Unknown command line flag 'no_such_flag'"),
        ("prepare.py", "--config.model.foo=1", "config.model has no key 'foo'; the keys are activation, attention, "),
        ("main.py", "--config.objective.text=2", "config.objective.text has been renamed to config.task.weights.text"),
        ("main.py", "--config.data.masking=2", "config.data.masking has been renamed to config.task.masking"),
        ("main.py", "--noconfig.data.mask_joint", "config.data.mask_joint has been renamed to config.task.mask_joint"),
        (
            "main.py",
            "--config.evaluation.every=2",
            "config.evaluation.every has been renamed to config.evaluators.held_out.every",
        ),
        ("plan.py", "--config.model.init_from=bert", "config.model.init_from has been renamed to config.init_from"),
        ("main.py", "--config.steps.foo=1", "config.steps is a single value; it has no key 'foo'"),
        ("main.py", "--config.evaluators.held_out.every=0", "config.checkpoint.metric is 'held_out/loss', expected "),
    ],
)
def test_a_wrong_command_line_ends_at_once(program: str, override: str, message: str, tmp_path: pathlib.Path) -> None:
    command = [sys.executable, ROOT / "launch" / program, f"--config={ROOT / 'configs' / 'base.py'}", override]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{ROOT / 'launch' / program}: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


EXTENDED = """
import dataclasses
from ml_collections import ConfigDict
from videobert_jax import config as config_lib

@dataclasses.dataclass(frozen=True)
class Tagging(config_lib.TaskConfig):
    name: str = "tagging"
    labels: int = 3

@dataclasses.dataclass(frozen=True)
class F1(config_lib.EvaluatorConfig):
    threshold: float = 0.5

config_lib.TASKS["tagging"], config_lib.EVALUATORS["f1"] = Tagging, F1

def get_config():
    evaluators = {**config_lib.Config().evaluators, "f1": F1()}
    return config_lib.to_config_dict(config_lib.Config(task=Tagging(), evaluators=evaluators))
"""


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("--config.task.labels=5", 2, "there is no folder none; name one with --config.data.videos"),
        ("--config.evaluators.f1.every=5", 2, "there is no folder none; name one with --config.data.videos"),
        ("--config.task.label=5", 2, "config.task has no key 'label'; did you mean config.task.labels? The keys are "),
        (
            "--config.evaluators.f2.every=5",
            2,
            "config.evaluators has no key 'f2'; the keys are answering, classification, events, f1, ",
        ),
    ],
)
def test_a_config_file_may_bring_a_task_and_evaluators(
    override: str, code: int, message: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "tagging.py").write_text(EXTENDED)
    program = ROOT / "launch" / "prepare.py"
    command = [sys.executable, program, "--config=tagging.py", "--config.data.videos=none", override]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.splitlines()) == (code, [done.stderr.rstrip()])
    assert done.stderr.startswith(f"{program}: {message}")


BASE = f"--config={ROOT / 'configs' / 'base.py'}"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("main.py", "--config is missing: A file of configs/, with its argument."),
        ("evaluate.py", "--workdir is missing: Folder of a run."),
        *(
            (f"prepare.py --config=none.py{override}", "--config cannot be read: No such file or directory: 'none.py'")
            for override in ("", " --config.steps=3")
        ),
        ("prepare.py --config=.", "--config cannot be read: Is a directory: '.'; expected a file such as configs/"),
        (f"main.py {BASE}:huge", f"flag {BASE}:huge: 'huge' is not one of tiny, small, base, large"),
        (f"main.py {BASE} --config.data.videos=none", "there is no folder none; name one with --config.data.videos"),
        (f"main.py {BASE} --config.init_from=none", "config.init_from is 'none', expected the workdir of a run"),
        ("evaluate.py --workdir=none", "none is not the folder of a run"),
        ("export.py --workdir=none --output=exported", "none is not the folder of a run"),
        (
            "moderate.py --workdir=none --policy=none.json --video=a.mp4",
            "there is no policy none.json; docs/moderation",
        ),
    ],
)
def test_what_is_not_there_is_told_in_a_line_and_leaves_nothing_behind(
    command: str, message: str, tmp_path: pathlib.Path
) -> None:
    program, *arguments = command.split()
    line = [sys.executable, ROOT / "launch" / program, *arguments]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"{ROOT / 'launch' / program}: {message}")
    assert not list(tmp_path.iterdir())


def test_a_fault_in_a_config_file_keeps_its_traceback(tmp_path: pathlib.Path) -> None:
    (tmp_path / "wrong.py").write_text("def get_config():\n    return {}.steps\n")
    command = [sys.executable, ROOT / "launch" / "prepare.py", "--config=wrong.py", "--config.steps=3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "'dict' object has no attribute 'steps'" in done.stderr


@pytest.mark.slow
def test_a_checkpoint_that_is_not_there_is_told_before_anything_is_prepared(tmp_path: pathlib.Path) -> None:
    overrides = ["--config.init_from=bert", "--config.prepare.tokenizer=bert"]
    program = ROOT / "launch" / "main.py"
    command = [sys.executable, program, f"--config={ROOT / 'configs' / 'base.py'}", *overrides]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{program}: bert/config.json cannot be read")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "cache").exists()
