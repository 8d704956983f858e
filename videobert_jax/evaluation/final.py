"""The end of a run: what it has learnt is taken from the newest checkpoint and judged."""

from typing import Any

import jax

from videobert_jax.config import Config, MeshConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.evaluation import judge as evaluation
from videobert_jax.tasks import make_task
from videobert_jax.training import sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import make_program
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir


def judge(config: Config, workdir: Workdir, prepared: Prepared) -> dict[str, Any]:
    """Judges the newest checkpoint of `workdir`; see `evaluation.judge`. Only the first process has to call it."""

    history = writers.read(workdir.metrics)
    return evaluation.judge(
        config,
        workdir,
        prepared,
        load_params(config, workdir),
        history,
        prepared.thumbnails,
        workdir.evaluation("zero_shot"),
        workdir.page,
    )


def load_params(config: Config, workdir: Workdir) -> Any:
    """The parameters of the newest checkpoint of `workdir`, all of them on this process's first device.

    Raises FileNotFoundError if there is none yet.
    """
    tokens = workdir.tokens()
    mesh = sharding.make_mesh(MeshConfig(data=1, fsdp=1, tensor=1), jax.local_devices()[:1])
    with Checkpoints(workdir.checkpoints, read_only=True) as checkpoints:
        state = checkpoints.restore(make_program(config, make_task(config, tokens), mesh).state)
    if state is None:
        raise FileNotFoundError(f"{workdir.checkpoints} holds no checkpoint; train first, with launch/main.py")
    return state.params
