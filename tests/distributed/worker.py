"""Programs that the tests of this folder start in processes of their own. `tiny_run` must be on PYTHONPATH.

python worker.py PREPARED WORKDIR '{"all": {"data": 2, "fsdp": 2, "tensor": 2}, ...}' [PORT INDEX COUNT]

Makes a short run on each mesh, in WORKDIR/<name>; with the last three arguments, as one of several processes.
"""

import json
import pathlib
import sys

import jax
import numpy as np
import tiny_run
from jax.experimental import multihost_utils

from videobert_jax.config import Config
from videobert_jax.data import pipeline
from videobert_jax.data.records import RecordSource
from videobert_jax.training import loop, sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import make_program

STEPS = 4


def check_batches(config: Config, prepared: pathlib.Path) -> None:
    """The blocks of all processes, put together on the mesh, are the batch that one process would load."""
    source, rows = RecordSource(prepared / "records", "train"), config.data.batch_size
    mesh = sharding.make_mesh(config.mesh)
    block = sharding.rows_of_process(mesh, rows)
    mine, whole = (
        pipeline.dataset(source, tiny_run.TOKENS, config.data, config.seed, *of)[STEPS] for of in (block, (0, 1))
    )
    together = multihost_utils.process_allgather(sharding.to_global(mine, mesh, rows), tiled=True)
    for name, expected in whole.items():
        np.testing.assert_array_equal(together[name], expected, err_msg=name)


def restored(config: Config, workdir: pathlib.Path, prepared: pathlib.Path) -> dict[str, np.ndarray]:
    """The parameters of the checkpoint in `workdir`, restored on the mesh of `config`."""
    source = RecordSource(prepared / "records", "train")
    batch = pipeline.dataset(source, tiny_run.TOKENS, config.data, config.seed)[0]
    program = make_program(config, tiny_run.TOKENS, sharding.make_mesh(config.mesh), batch)
    with Checkpoints(workdir / "checkpoints", keep=2) as checkpoints:
        state = checkpoints.restore(program.state)
    assert state is not None
    assert jax.tree.map(lambda x: x.sharding, state) == jax.tree.map(lambda x: x.sharding, program.state)
    leaves = jax.tree_util.tree_leaves_with_path(state.params)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def main(prepared_path: str, workdir_path: str, meshes: str, *process: str) -> None:
    """Joins the other processes first, if there are any: nothing may have used the devices before."""
    if process:
        port, index, count = process
        jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=int(count), process_id=int(index))
    prepared, workdir = pathlib.Path(prepared_path), pathlib.Path(workdir_path)
    configs = {
        name: tiny_run.tiny_config(prepared.parent / "cache", steps=STEPS, mesh=mesh)
        for name, mesh in json.loads(meshes).items()
    }
    for name, config in configs.items():
        check_batches(config, prepared)
        loop.train(config, workdir / name, prepared)
    if process:  # the tensor axis crosses the processes, so both load all rows
        check_batches(tiny_run.tiny_config(prepared, mesh={"data": 1, "tensor": int(count)}), prepared)
        return
    (first, *_), (*_, last) = configs, configs.values()
    same, other = (restored(config, workdir / first, prepared) for config in (configs[first], last))
    for name, value in same.items():
        np.testing.assert_array_equal(other[name], value, err_msg=name)


if __name__ == "__main__":
    main(*sys.argv[1:])
