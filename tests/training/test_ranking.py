"""The best checkpoint, and when a run has waited long enough for a better one."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
import tiny_run
from flax import traverse_util

from videobert_jax.config import CheckpointConfig, HeldOutConfig
from videobert_jax.training import ranking
from videobert_jax.training.parameters import params_of, restore_params
from videobert_jax.training.workdir import Workdir

FOUND = {2: 0.9, 4: 0.5, 6: 0.7, 8: 0.6, 10: 0.8}
CONFIG = CheckpointConfig(every=4, metric="held_out/loss", used="best")


@pytest.mark.parametrize(
    ("best", "used", "steps", "step"),
    [
        ("lowest", "best", (4, 8), 4),
        ("lowest", "best", (8, 10), 8),
        ("highest", "best", (4, 8), 8),
        ("lowest", "newest", (4, 8), None),
        ("lowest", "best", (12,), None),
    ],
)
def test_the_best_of_the_checkpoints_that_exist_is_used(
    best: str, used: str, steps: tuple[int, ...], step: int | None
) -> None:
    config = dataclasses.replace(CONFIG, best=best, used=used)
    assert ranking.used_step(FOUND, config, steps) == step


@pytest.mark.parametrize(
    ("scores", "patience", "out"),
    [
        ([5, 4, 3], 1, False),
        ([5, 4, 4], 1, True),  # not better
        ([5, 3, 4, 2], 2, False),
        ([5, 3, 4, 3], 2, True),
        ([5, 3, 4], 2, False),
        ([5, 6], 2, False),  # too few
        ([5, 6, 7, 8], 0, False),
    ],
)
def test_patience_is_counted_in_checkpoints(scores: list[float], patience: int, out: bool) -> None:
    config = dataclasses.replace(CONFIG, patience=patience)
    found = {4 * number: score for number, score in enumerate(scores, start=1)} | {3: 0.0, 17: 0.0}
    assert ranking.out_of_patience(found, config) == out
    turned = dataclasses.replace(config, best="highest")
    assert ranking.out_of_patience({step: -score for step, score in found.items()}, turned) == out


@pytest.mark.slow
def test_a_run_ends_early_and_its_best_checkpoint_is_used(
    prepared: pathlib.Path, cache: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = {"every": 2, "metric": "held_out/loss", "best": "highest", "used": "best", "patience": 2, "keep": 5}
    config = tiny_run.tiny_config(cache, checkpoint=checkpoint, optimizer={"warmup_steps": 0})
    config = dataclasses.replace(config, evaluators={"held_out": HeldOutConfig(every=2, batches=2)})
    tiny_run.train(config, tmp_path, prepared)  # the loss falls, which is not what is wanted
    workdir, device = Workdir(tmp_path), jax.devices()[0]
    assert sorted(int(path.name) for path in workdir.checkpoints.glob("[0-9]*")) == [2, 4, 6]
    assert "ended at step 6, held_out/loss has not become better" in capsys.readouterr().err
    tiny_run.train(config, tmp_path, prepared)
    assert "train: already at step 6 of 12" in capsys.readouterr().out
    used, best, newest = (
        traverse_util.flatten_dict(params, sep="/")
        for params in (
            params_of(workdir, config.checkpoint, device),
            restore_params(workdir.checkpoints, device, 2),
            restore_params(workdir.checkpoints, device),
        )
    )
    assert all(np.array_equal(used[path], best[path]) for path in used)
    assert not all(np.array_equal(used[path], newest[path]) for path in used)
    lines = [json.loads(line) for line in workdir.metrics.read_text().splitlines()]
    assert max(line["step"] for line in lines) == 6
