"""Twenty steps of a tiny run end where those of an earlier commit did."""

import pathlib

import jax
import numpy as np
import pytest
import tiny_run
from flax import traverse_util

from videobert_jax.training.parameters import restore_params
from videobert_jax.training.workdir import Workdir

GOLDEN = pathlib.Path(__file__).parent.parent / "fixtures" / "golden_51d42bd.npz"
ADVICE = (
    "{} differs by {} from what commit 51d42bd computed. If the step is meant to compute something else, say what and "
    "why in the commit, and record the file anew; if not, find the commit that changed it: on one machine these are "
    "bitwise the same."
)


@pytest.mark.slow
def test_twenty_steps_end_where_they_did(prepared: pathlib.Path, cache: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """With dropout, accumulation and warm-up. Rounding, by other processors or without optimisation, moves 1e-6."""
    config = tiny_run.tiny_config(
        cache,
        steps=20,
        model={"hidden_size": 16, "mlp_size": 32, "dropout": 0.1},
        checkpoint={"every": 20},
        optimizer={"accumulation": 2},
    )
    tiny_run.train(config, tmp_path, prepared)
    params = traverse_util.flatten_dict(restore_params(Workdir(tmp_path).checkpoints, jax.devices()[0]), sep="/")
    golden = np.load(GOLDEN)
    assert params.keys() == set(golden)
    for path, values in params.items():
        difference = float(np.abs(np.asarray(values) - golden[path]).max())
        assert difference < 2e-5, ADVICE.format(path, difference)
