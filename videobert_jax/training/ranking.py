"""Which checkpoint of a run is the best, and whether to stop: functions of the metrics that it has logged.

The log, not the state, remembers them: a resumed run comes to the same decisions.
"""

import pathlib
from collections.abc import Collection, Mapping

from videobert_jax.config import CheckpointConfig
from videobert_jax.training.reporting import writers


def scores(path: pathlib.Path, config: CheckpointConfig, last_step: int | None = None) -> dict[int, float]:
    """The values of `config.metric` in a file of metrics, by step, up to `last_step`."""
    lines = writers.read(path, last_step) if path.exists() and config.metric else []
    return {line["step"]: line[config.metric] for line in lines if config.metric in line}


def used_step(found: Mapping[int, float], config: CheckpointConfig, steps: Collection[int]) -> int | None:
    """Of the steps that have a checkpoint, the one to use; None: the newest."""
    ranked = [step for step in found if step in steps]
    return min(ranked, key=lambda step: _cost(found[step], config)) if ranked and config.used == "best" else None


def out_of_patience(found: Mapping[int, float], config: CheckpointConfig) -> bool:
    """Whether none of the newest `patience` checkpoints is better than all before them."""
    costs = [_cost(score, config) for step, score in sorted(found.items()) if step % config.every == 0]
    if not config.patience or len(costs) <= config.patience:
        return False
    return min(costs[-config.patience :]) >= min(costs[: -config.patience])


def _cost(score: float, config: CheckpointConfig) -> float:
    return score if config.best == "lowest" else -score
