"""docs/adding_a_task.md as it is written: its files, then its commands, each in a process of its own."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from tiny_corpus import write_vtt

pytestmark = pytest.mark.slow  # further processes
ROOT = pathlib.Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "adding_a_task.md").read_text()
FILES = dict(re.findall(r"^`(\S+\.py)`\n\n```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^    python \$CLONE/(launch/\w+\.py .*)$", DOCUMENT, re.MULTILINE)
TINY = [
    "--config.data.videos=videos",
    *("--config.prepare.backbone=precomputed", "--config.prepare.fps=1.0", "--config.prepare.clip_frames=1"),
    *("--config.prepare.branching=2", "--config.prepare.depth=1", "--config.prepare.workers=1"),
    *("--config.data.batch_size=2", "--config.data.sequence_length=128", "--config.model.hidden_size=32"),
    *("--config.model.mlp_size=32", "--config.optimizer.warmup_steps=2", "--config.optimizer.learning_rate=0.01"),
    *("--config.steps=30", "--config.evaluators.held_out.batches=1"),
]
LOAD = """
import sys
import numpy as np
import videobert_jax
from videobert_jax.data.prepared import VALIDATION
from videobert_jax.errors import UserError
from videobert_jax.training.workdir import Workdir

model = videobert_jax.load("runs/duration")
records = model.task.examples(Workdir(model.lexicon.folder).prepared(), VALIDATION)
row = model.task.row([records[0]], np.random.default_rng(0))
outputs = model.outputs({name: array[None] for name, array in row.items()})
assert outputs._fields == ("hidden", "log_seconds") and np.isfinite(outputs.log_seconds).all()
assert outputs.log_seconds.shape == row["log_seconds"][None].shape
assert abs(np.linalg.norm(model.embed("stir it")) - 1) < 1e-5
try:
    model.fill("stir the [MASK]")
except UserError as error:
    assert "trained for config.task.name='duration' and predicts no words" in str(error), error
else:
    raise AssertionError("filled")
"""


def write_files(folder: pathlib.Path, word: str = "", other: str = "") -> None:
    """The document's files, with another word if one is given."""
    assert len(FILES) == DOCUMENT.count("```python") == 5
    for name, code in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code.replace(word, other) if word else code)


def write_videos(folder: pathlib.Path) -> None:
    """Features of one vector per second, with transcripts: the longer a video, the more is said in it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(16):
        length = 4 + 2 * index
        np.save(folder / f"video{index}.npy", rng.normal(0, 1, (length, 8)).astype(np.float32))
        words = ["Now we stir it.", *["Then we stir."] * (index // 2)]
        write_vtt(folder / f"video{index}.vtt", [(2.0 * i, 2.0 * i + 1.5, text) for i, text in enumerate(words)])


def run(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, in a folder that holds the document's files."""
    path = os.pathsep.join([".", str(ROOT), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": path, "XLA_FLAGS": "--xla_backend_optimization_level=0"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def program(name: str) -> list[str]:
    """The document's command with a program of launch/."""
    (command,) = (shlex.split(command) for command in COMMANDS if command.startswith(f"launch/{name}.py"))
    return [str(ROOT / command[0]), *command[1:]]


def test_the_example_runs_as_it_is_written(tmp_path: pathlib.Path) -> None:
    write_files(tmp_path)
    write_videos(tmp_path / "videos")
    workdir = tmp_path / "runs" / "duration"
    done = run(tmp_path, *program("main"), *TINY)
    assert done.returncode == 0, done.stderr
    assert "duration, error: " in done.stdout and "duration, error_of_the_mean: " in done.stdout
    assert "held_out/loss/duration" in (workdir / "metrics.jsonl").read_text()
    result = json.loads((workdir / "evaluation" / "duration.json").read_text())
    assert result["records"] >= 1
    assert 0 <= result["error"] < result["error_of_the_mean"], result
    page = (workdir / "report" / "index.html").read_text()
    assert "error_of_the_mean" in page and "Zero-shot" not in page

    (workdir / "evaluation" / "duration.json").unlink()
    done = run(tmp_path, *program("evaluate"))
    assert done.returncode == 0, done.stderr
    assert json.loads((workdir / "evaluation" / "duration.json").read_text()) == result

    done = run(tmp_path, *program("export"))
    assert done.returncode == 0, done.stderr
    assert "nothing for transformers: a model for duration predicts no words" in done.stdout
    assert {path.name for path in (tmp_path / "exported").iterdir()} == {
        *("inference.jaxexport", "weights.safetensors", "tokens.json")
    }

    done = run(tmp_path, "-c", LOAD)
    assert done.returncode == 0, done.stderr
    elsewhere = [sys.executable, "-P", "-c", LOAD]  # -P: the current folder is not searched
    done = subprocess.run(elsewhere, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "config.modules is 'duration.config', expected modules that can be imported" in done.stderr


@pytest.mark.parametrize(
    ("word", "other", "message"),
    [
        ("COUNT)", "COUNTS)", "NameError"),
        ('"duration.config",', '"duration.other",', "config.modules is 'duration.other', expected modules that can be"),
        (
            'name: str = "duration"',
            'name: str = "length"',
            "config.task.name is 'length', expected one of ",
        ),
        ("clips: int", "shown: int", "config.task has no key 'clips'"),
    ],
)
def test_another_word_in_the_document_is_noticed(word: str, other: str, message: str, tmp_path: pathlib.Path) -> None:
    write_files(tmp_path, word, other)
    done = run(tmp_path, *program("main"), "--config.data.videos=none")
    assert done.returncode != 0
    assert message in done.stderr


def test_all_programs_are_shown() -> None:
    assert [command.split()[0] for command in COMMANDS] == [
        *("launch/main.py", "launch/evaluate.py", "launch/export.py", "launch/plan.py")
    ]
