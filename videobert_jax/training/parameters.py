"""Reads only the parameters of a checkpoint, for inference, evaluation and runs initialised from another run.

Orbax would hold two or three copies of what it reads. This reads its TensorStore arrays one by one, the largest first,
each directly into memory that `jax.Array` takes over on a CPU.
"""

import math
import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts
from absl import logging
from flax import traverse_util

from videobert_jax.config import CheckpointConfig
from videobert_jax.errors import MissingError
from videobert_jax.training import ranking
from videobert_jax.training.workdir import Workdir

ALIGNMENT = 64  # bytes; JAX copies memory that is aligned less


def restore_params(directory: pathlib.Path, device: jax.Device, first: int | None = None) -> Any:
    """The parameters of the newest readable checkpoint in `directory`, on a device; changes no files.

    Args:
      directory: of checkpoints.
      device: of this process.
      first: a step to try before all others, such as the best.

    Raises:
      MissingError: there are no checkpoints.
      OSError: none of the checkpoints can be read.
    """
    failures: dict[int, str] = {}
    while steps := [step for step in steps_of(directory) if step not in failures]:  # a run may have saved another since
        try:
            # TensorStore refuses `..` in a path.
            step = first if first in steps else steps[-1]
            return _read_params((directory / str(step) / "state").resolve(), device)
        except Exception as error:  # what damage leads to: these errors have no common class
            reason = (next(iter(str(error).splitlines()), "") or type(error).__name__)[:300]
            logging.warning("the checkpoint of step %s cannot be read, trying another: %s", step, reason)
            failures[step] = reason
    if not failures:
        raise MissingError(f"{directory} holds no checkpoint; train first, with launch/main.py")
    reasons = "; ".join(f"{step}: {reason}" for step, reason in failures.items())
    raise OSError(f"none of the checkpoints in {directory} can be read ({reasons})")


def steps_of(directory: pathlib.Path) -> list[int]:
    """The steps that have a checkpoint, ascending."""
    return sorted(int(path.name) for path in directory.glob("*") if path.name.isdecimal())


def params_of(workdir: Workdir, config: CheckpointConfig, device: jax.Device) -> Any:
    """The parameters of a run that its config says to use: of its best or its newest checkpoint.

    Raises as `restore_params` does.
    """
    scores = ranking.scores(workdir.metrics, config)
    return restore_params(workdir.checkpoints, device, ranking.used_step(scores, config, steps_of(workdir.checkpoints)))


def _read_params(state: pathlib.Path, device: jax.Device) -> Any:
    metadata: Any = ocp.PyTreeCheckpointHandler().metadata(state)
    shapes = traverse_util.flatten_dict(metadata.tree["params"])
    # One array at a time, without caching.
    one = {"limit": 1}
    limits = {"cache_pool": {"total_bytes_limit": 0}, "data_copy_concurrency": one, "file_io_concurrency": one}
    context = ts.Context(limits)
    largest_first = sorted(shapes, key=lambda path: -math.prod(shapes[path].shape))
    params = {path: _read_array(state, ".".join(("params", *path)), context, device) for path in largest_first}
    return traverse_util.unflatten_dict({path: params[path] for path in shapes})


def _read_array(state: pathlib.Path, name: str, context: ts.Context, device: jax.Device) -> jax.Array:
    base = {"driver": "file", "path": f"{state}/"}  # not as a URL, in which "%20" and "#" mean something
    store = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
    source = ts.open({"driver": "zarr", "kvstore": store}, read=True, context=context).result()
    array = _aligned(source.shape, source.dtype.numpy_dtype)
    ts.array(array, copy=False, context=context).write(source).result()
    return jax.device_put(array, device)


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Uninitialised memory that JAX can take over without a copy."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
