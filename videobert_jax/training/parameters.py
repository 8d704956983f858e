"""The parameters of a saved train state alone: what inference, evaluation and a run that starts from another need.

Orbax would hold what it reads two or three times. Its checkpoints are arrays of TensorStore, which are read here one by
one, the largest first, each straight into the memory that a CPU's `jax.Array` then takes over.
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

ALIGNMENT = 64  # bytes, that JAX asks of memory which it takes over


def restore_params(directory: pathlib.Path, device: jax.Device) -> Any:
    """The parameters of the newest checkpoint in `directory` that can be read, on a device; nothing there changes.

    Raises:
      FileNotFoundError: there is no checkpoint.
      OSError: there are some, but none can be read.
    """
    steps = sorted((int(path.name) for path in directory.glob("*") if path.name.isdecimal()), reverse=True)
    if not steps:
        raise FileNotFoundError(f"{directory} holds no checkpoint; train first, with launch/main.py")
    failures = []
    for step in steps:
        try:
            return _read_params((directory / str(step) / "state").absolute(), device)
        except Exception as error:  # what damage leads to: these errors have no common class
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            logging.warning("the checkpoint of step %s cannot be read, trying an older one: %s", step, reason)
            failures.append(f"{step}: {reason}")
    raise OSError(f"none of the checkpoints in {directory} can be read ({'; '.join(failures)})")


def _read_params(state: pathlib.Path, device: jax.Device) -> Any:
    metadata: Any = ocp.PyTreeCheckpointHandler().metadata(state)
    shapes = traverse_util.flatten_dict(metadata.tree["params"])
    # One array at a time, and nothing kept of what was read.
    one = {"limit": 1}
    limits = {"cache_pool": {"total_bytes_limit": 0}, "data_copy_concurrency": one, "file_io_concurrency": one}
    context = ts.Context(limits)
    largest_first = sorted(shapes, key=lambda path: -math.prod(shapes[path].shape))
    params = {path: _read_array(state, ".".join(("params", *path)), context, device) for path in largest_first}
    return traverse_util.unflatten_dict({path: params[path] for path in shapes})


def _read_array(state: pathlib.Path, name: str, context: ts.Context, device: jax.Device) -> jax.Array:
    store = {"driver": "ocdbt", "base": f"file://{state}/", "path": f"{name}/"}
    source = ts.open({"driver": "zarr", "kvstore": store}, read=True, context=context).result()
    array = _aligned(source.shape, source.dtype.numpy_dtype)
    ts.array(array, copy=False, context=context).write(source).result()
    return jax.device_put(array, device)


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Uninitialised memory at an address that JAX takes over without a copy."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
