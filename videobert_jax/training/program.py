"""The functions of a run, with the shapes and shardings of their arguments. Allocates nothing."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from videobert_jax.config import Config
from videobert_jax.errors import ConfigError
from videobert_jax.model import attention
from videobert_jax.model.trunk import Trunk
from videobert_jax.objectives.objective import Metrics, Objective
from videobert_jax.tasks.task import Task
from videobert_jax.training import initial_params, sharding
from videobert_jax.training.initial_params import Rows
from videobert_jax.training.optimizer import make_optimizer
from videobert_jax.training.state import TrainState, initializer
from videobert_jax.training.step import Batch, Params, make_eval_step, make_train_step


@dataclasses.dataclass(frozen=True)
class Program:
    """Three functions to compile under `jax.set_mesh`, and their abstract arguments.

    Attributes:
      mesh: over all devices of the run.
      network: of the task, with the attention kernel for the devices.
      objective: of the task.
      state: the train state as a tree of `jax.ShapeDtypeStruct` with shardings; also the target of a restore.
      batch: a global batch, likewise.
      flops: model FLOPs of a training step; see `model/flops.py`.
    """

    mesh: Mesh
    network: Trunk
    objective: Objective
    state: TrainState
    batch: dict[str, jax.ShapeDtypeStruct]
    flops: float
    _init: Callable[[], TrainState]
    _train_step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    _eval_step: Callable[[Params, Batch], Metrics]

    def init(self, given: Iterable[Rows] = ()) -> TrainState:
        """The initial state, created in place on every device: random, except for `given`."""
        return initial_params.put(jax.jit(self._init, out_shardings=self._state_shardings)(), given)

    def compile_train_step(self) -> jax.stages.Compiled:
        """(state, batch) -> (next state, metrics); donates the state."""
        step = jax.jit(self._train_step, out_shardings=(self._state_shardings, self._replicated), donate_argnums=0)
        return step.lower(self.state, self.batch).compile()

    def compile_eval_step(self) -> jax.stages.Compiled:
        """(params, batch) -> metrics, without dropout."""
        step = jax.jit(self._eval_step, out_shardings=self._replicated)
        return step.lower(self.state.params, self.batch).compile()

    def of_part(self, task: Task, params_of: Callable[[Any], Any]) -> "Program":
        """What evaluates one part of a mixture during its training: `compile_eval_step` alone is to be used.

        Args:
          task: of the part.
          params_of: from the parameters of the mixture, or their shapes, to those of the part.
        """
        network = task.network.clone(config=self.network.config)
        return dataclasses.replace(
            self,
            network=network,
            objective=task.objective,
            state=TrainState(self.state.step, params_of(self.state.params), self.state.opt_state, self.state.rng),
            batch=_batch(task, self.batch["token_ids"].shape[0], self.mesh),
            _eval_step=make_eval_step(network, task.objective),
        )

    @property
    def _state_shardings(self) -> TrainState:
        return jax.tree.map(lambda x: x.sharding, self.state)

    @property
    def _replicated(self) -> NamedSharding:
        return NamedSharding(self.mesh, P())


def make_program(config: Config, task: Task, mesh: Mesh) -> Program:
    """The program of a task on a mesh.

    Raises ConfigError if the model or the batch cannot be split over the mesh.
    """
    model, objective = task.network.config, task.objective
    if model.num_heads % mesh.shape["tensor"]:
        raise ConfigError(
            f"model.num_heads is {model.num_heads}, expected a multiple of mesh.tensor={mesh.shape['tensor']}"
        )
    if objective.whole_batch and config.optimizer.accumulation > 1:
        raise ConfigError(
            f"optimizer.accumulation is {config.optimizer.accumulation}, expected 1: this task compares every example "
            "with all others of the batch"
        )
    batch = _batch(task, config.data.batch_size, mesh)
    platform = mesh.devices.flat[0].platform
    network = task.network.clone(config=attention.resolved(model, platform, config.data.sequence_length))
    optimizer = make_optimizer(config.optimizer, config.steps, task.frozen)

    init = initializer(task.init, optimizer.transformation, config.seed)
    return Program(
        mesh=mesh,
        network=network,
        objective=objective,
        state=sharding.placed(jax.eval_shape(init), mesh),
        batch=batch,
        flops=network.flops(batch),
        _init=init,
        _train_step=make_train_step(network, objective, optimizer, config.optimizer.accumulation),
        _eval_step=make_eval_step(network, objective),
    )


def _batch(task: Task, rows: int, mesh: Mesh) -> dict[str, jax.ShapeDtypeStruct]:
    """A global batch of a task, split over the mesh."""
    split = sharding.batch_sharding(mesh)
    return {
        name: jax.ShapeDtypeStruct((rows, *spec.shape), spec.dtype, sharding=split)
        for name, spec in task.row.shapes.items()
    }
