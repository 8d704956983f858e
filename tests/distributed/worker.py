"""Programs that the tests of this folder start in separate processes. `tiny_run` must be on PYTHONPATH.

python worker.py devices PREPARED '{"all": [2, 2, 2], ...}'     a few steps on one device and on each mesh; prints JSON
python worker.py process PREPARED WORKDIR PORT INDEX COUNT      a run as one of several processes
"""

import json
import pathlib
import sys

import jax
import numpy as np
import tiny_run
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from videobert_jax.config import Config
from videobert_jax.data.records import RecordSource
from videobert_jax.tasks import make_task
from videobert_jax.training import sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import Program, make_program
from videobert_jax.training.reporting import writers
from videobert_jax.training.state import TrainState

STEPS = 4


def devices(prepared: pathlib.Path, meshes: dict[str, list[int]]) -> None:
    """Prints the metrics of each mesh, and restores its state on the next one."""
    results: dict[str, list[dict[str, float]]] = {}
    previous = None
    for name, sizes in {"single": [1, 1, 1], **meshes}.items():
        mesh = dict(zip(sharding.AXES, sizes, strict=True))
        config = tiny_run.tiny_config(prepared.parent / "cache", steps=STEPS, mesh=mesh)
        program, state, results[name] = steps_on(config, prepared)
        if previous:
            check_restored(prepared.parent / name, previous, program)
        previous = state
    print(json.dumps(results))


def steps_on(config: Config, prepared: pathlib.Path) -> tuple[Program, TrainState, list[dict[str, float]]]:
    """The program of a mesh, its state after a few steps, and the metrics of each."""
    sizes = (config.mesh.data, config.mesh.fsdp, config.mesh.tensor)
    mesh = sharding.make_mesh(config.mesh, jax.devices()[: int(np.prod(sizes))])
    data = tiny_run.batches(RecordSource(prepared / "records", "train"), config)
    size = config.data.batch_size
    batches = [sharding.to_global(data[step], range(size), mesh, size) for step in range(STEPS)]
    program = make_program(config, make_task(config, tiny_run.TOKENS), mesh)
    results = []
    with jax.set_mesh(mesh):
        state = program.init()
        train_step = program.compile_train_step()
        for batch in batches:
            state, pairs = train_step(state, batch)
            results.append(writers.means(jax.device_get(pairs)))
    return program, state, results


def check_restored(directory: pathlib.Path, state: TrainState, program: Program) -> None:
    """Checks that a state saved on one mesh is restored bitwise on another, with its shardings."""
    with Checkpoints(directory) as checkpoints:
        checkpoints.save(STEPS, state, 0.0)
    with Checkpoints(directory) as checkpoints:
        restored = checkpoints.restore(program.state)
    assert restored is not None
    assert jax.tree.map(lambda x: x.sharding, restored) == jax.tree.map(lambda x: x.sharding, program.state)
    jax.tree.map(np.testing.assert_array_equal, restored.params, state.params)


def process(prepared: pathlib.Path, workdir: pathlib.Path, port: str, index: int, count: int) -> None:
    """Trains on a mesh that alternates between the processes; checks batches there and with `tensor` over them."""
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=count, process_id=index)
    config = tiny_run.tiny_config(prepared.parent / "cache", steps=STEPS, mesh={"fsdp": jax.device_count()})
    in_turns = np.reshape(jax.devices(), (count, -1)).T
    mesh = Mesh(np.reshape(in_turns, (1, -1, 1)), sharding.AXES)
    check_batches(config, prepared, mesh)
    sharding.make_mesh = lambda config: mesh
    tiny_run.train(config, workdir, prepared)
    check_batches(config, prepared, Mesh(np.reshape(in_turns, (-1, 1, count)), sharding.AXES))


def check_batches(config: Config, prepared: pathlib.Path, mesh: Mesh) -> None:
    """Checks that the rows of all processes together are the batch that one process would load."""
    source, batch_size = RecordSource(prepared / "records", "train"), config.data.batch_size
    rows = sharding.rows_of_process(mesh, batch_size)
    mine, whole = (tiny_run.batches(source, config, of)[STEPS] for of in (rows, None))
    together = multihost_utils.process_allgather(sharding.to_global(mine, rows, mesh, batch_size), tiled=True)
    for name, expected in whole.items():
        np.testing.assert_array_equal(together[name], expected, err_msg=name)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["devices", prepared, meshes]:
            devices(pathlib.Path(prepared), json.loads(meshes))
        case ["process", prepared, workdir, port, index, count]:
            process(pathlib.Path(prepared), pathlib.Path(workdir), port, int(index), int(count))
        case arguments:
            raise SystemExit(f"no such command: {arguments}")
