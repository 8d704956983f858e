"""A run that is killed and resumed is bitwise the uninterrupted run.

The runs here read features; tests/distributed/test_interruptions.py kills runs that read words alone.
"""

import json
import pathlib
import signal
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
import tiny_run

from videobert_jax.data.prepared import Prepared
from videobert_jax.model.visual_input import CENTROIDS
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir
from videobert_jax.visual_words.details import Details

CHANGES = {"model": {"visual_input": "both"}, "prepare": {"feature_size": 8, "codebooks": 2}}


def run(prepared: pathlib.Path, workdir: pathlib.Path, *death: str) -> int:
    command = [sys.executable, tiny_run.__file__, str(prepared), str(workdir), json.dumps(CHANGES), *death]
    return subprocess.run(command, check=False, timeout=600).returncode


def deterministic(workdir: pathlib.Path) -> list[dict]:
    lines = writers.read(Workdir(workdir).metrics)
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def leaves(workdir: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays of the last checkpoint, as stored."""
    with ocp.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore((workdir / "checkpoints" / "12" / "state").absolute())
    state["rng"] = jax.random.key_data(state["rng"])
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


@pytest.mark.slow
def test_a_killed_and_resumed_run_is_bitwise_the_whole_one(detailed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert run(detailed, tmp_path / "whole") == 0
    for death in (("step", "3"), ("save", "8")):
        assert run(detailed, tmp_path / "killed", *death) == -signal.SIGKILL, death
    assert run(detailed, tmp_path / "killed") == 0

    whole = deterministic(tmp_path / "whole")
    assert [line["step"] for line in whole if "loss" in line] == list(range(1, 13))
    assert deterministic(tmp_path / "killed") == whole
    expected, actual = leaves(tmp_path / "whole"), leaves(tmp_path / "killed")
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    table = "['params']" + "".join(f"['{part}']" for part in CENTROIDS.split("/"))
    centroids = Details.load(Prepared(detailed).details).centroids
    np.testing.assert_array_equal(expected[table], centroids, err_msg="frozen as the vocabulary has them")
