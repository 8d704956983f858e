"""A run that is killed and resumed is bitwise the uninterrupted run.

The runs here read features; tests/distributed/test_interruptions.py kills runs that read words alone, and
tests/tasks/test_every_task.py those of other tasks.
"""

import json
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import tiny_run

from videobert_jax.data.prepared import Prepared
from videobert_jax.model.visual_input import CENTROIDS
from videobert_jax.visual_words.details import Details

CHANGES = {"model": {"visual_input": "both"}, "prepare": {"feature_size": 8, "codebooks": 2}}


def run(prepared: pathlib.Path, workdir: pathlib.Path, *death: str) -> int:
    command = [sys.executable, tiny_run.__file__, str(prepared), str(workdir), json.dumps(CHANGES), *death]
    return subprocess.run(command, check=False, timeout=600).returncode


@pytest.mark.slow
def test_a_killed_and_resumed_run_is_bitwise_the_whole_one(detailed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert run(detailed, tmp_path / "whole") == 0
    for death in (("step", "3"), ("save", "8")):
        assert run(detailed, tmp_path / "killed", *death) == -signal.SIGKILL, death
    assert run(detailed, tmp_path / "killed") == 0

    whole = tiny_run.deterministic(tmp_path / "whole")
    assert [line["step"] for line in whole if "loss" in line] == list(range(1, 13))
    assert tiny_run.deterministic(tmp_path / "killed") == whole
    expected, actual = tiny_run.leaves(tmp_path / "whole", 12), tiny_run.leaves(tmp_path / "killed", 12)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    table = "['params']" + "".join(f"['{part}']" for part in CENTROIDS.split("/"))
    centroids = Details.load(Prepared(detailed).details).centroids
    np.testing.assert_array_equal(expected[table], centroids, err_msg="frozen as the vocabulary has them")
