"""The parameters of a saved train state alone: what inference, evaluation and a run that starts from another need."""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp
from absl import logging

CONCURRENT_GB = 1  # read at once, decompressed, beside what is read already


def restore_params(directory: pathlib.Path, abstract: Any) -> Any:
    """The parameters of the newest checkpoint in `directory` that can be read; nothing there changes.

    The optimizer's state is not read, and no array is in memory twice but those being read.

    Args:
      directory: of a run's checkpoints.
      abstract: the tree of parameters as `jax.ShapeDtypeStruct` with shardings, which says where they go.

    Raises:
      FileNotFoundError: there is no checkpoint.
      OSError: there are some, but none can be read as such parameters.
    """
    steps = sorted((int(path.name) for path in directory.glob("*") if path.name.isdecimal()), reverse=True)
    if not steps:
        raise FileNotFoundError(f"{directory} holds no checkpoint; train first, with launch/main.py")
    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(me, active_processes={me}, barrier_sync_key_prefix=f"params {me}")
    handler = ocp.PyTreeCheckpointHandler(restore_concurrent_gb=CONCURRENT_GB, multiprocessing_options=alone)
    item = {"params": abstract}
    restore_args = ocp.checkpoint_utils.construct_restore_args(item)
    failures = []
    with ocp.Checkpointer(handler, multiprocessing_options=alone) as reader:
        for step in steps:
            args = ocp.args.PyTreeRestore(item, restore_args=restore_args, partial_restore=True)
            try:
                return reader.restore((directory / str(step) / "state").absolute(), args=args)["params"]
            except Exception as error:  # what damage leads to: these errors have no common class
                logging.warning("the checkpoint of step %s cannot be read, trying an older one: %s", step, error)
                failures.append(f"{step}: {next(iter(str(error).splitlines()), '') or type(error).__name__}")
    raise OSError(
        f"none of the checkpoints in {directory} can be read as parameters of this model ({'; '.join(failures)})"
    )
