"""The wheel: what is installed from it is whole, templates included."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
BUILT_FROM = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "videobert_jax")
FILES = (
    "videobert_jax/py.typed",
    "videobert_jax/evaluation/report/page.html",
    "videobert_jax/evaluation/report/page.css",
    "videobert_jax/evaluation/report/chart.html",
)

RENDERS = """
import videobert_jax
from videobert_jax.evaluation.report.page import Contents, render
from videobert_jax.evaluation.zero_shot import unanswerable

print(videobert_jax.__file__)
print(render(Contents(unanswerable("[MASK] [MASK]", "no captions"), {}, {}, {}, [], [])))
"""


@pytest.mark.slow
def test_an_unpacked_wheel_renders_a_report(tmp_path: pathlib.Path) -> None:
    source, wheels, unpacked = (tmp_path / name for name in ("source", "wheels", "unpacked"))
    source.mkdir()
    for name in BUILT_FROM:  # a build leaves files behind
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels)
    subprocess.run([sys.executable, "-m", "pip", "wheel", ".", *options], cwd=source, check=True)
    (wheel,) = wheels.glob("videobert_jax-*.whl")
    zipfile.ZipFile(wheel).extractall(unpacked)
    assert [name for name in FILES if not (unpacked / name).is_file()] == []

    only_unpacked = os.environ | {"PYTHONPATH": str(unpacked)}
    ran = subprocess.run(
        [sys.executable, "-c", RENDERS], cwd=tmp_path, env=only_unpacked, check=True, capture_output=True, text=True
    )
    imported, document = ran.stdout.split("\n", 1)
    assert pathlib.Path(imported).is_relative_to(unpacked)
    assert document.startswith("<!doctype html>")
    assert "--paper" in document  # the style sheet
    assert document.count('<p class="nothing">') == 6  # charts
