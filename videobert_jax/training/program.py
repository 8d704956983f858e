"""What a run computes: its functions, and the shape and the place of all they take. Making it allocates nothing."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from videobert_jax.config import Config, ModelConfig
from videobert_jax.errors import ConfigError
from videobert_jax.model import attention
from videobert_jax.model.videobert import VideoBert
from videobert_jax.objectives.objective import Metrics
from videobert_jax.objectives.pretraining import Pretraining
from videobert_jax.tokens import TokenSpace
from videobert_jax.training import initial_params, sharding
from videobert_jax.training.initial_params import Rows
from videobert_jax.training.optimizer import make_optimizer
from videobert_jax.training.state import TrainState, initializer
from videobert_jax.training.step import Batch, Params, make_eval_step, make_train_step


@dataclasses.dataclass(frozen=True)
class Program:
    """Three functions, still to be compiled under `jax.set_mesh`, and what they are compiled for.

    Attributes:
      state: the train state as a tree of `jax.ShapeDtypeStruct` with shardings; also what a checkpoint is restored as.
      batch: one global batch, likewise.
      flops: model FLOPs of a training step; see `model/flops.py`.
    """

    mesh: Mesh
    state: TrainState
    batch: dict[str, jax.ShapeDtypeStruct]
    flops: float
    _init: Callable[[], TrainState]
    _train_step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    _eval_step: Callable[[Params, Batch], Metrics]

    def init(self, given: Iterable[Rows] = ()) -> TrainState:
        """The first state, made in place on every device: random, but for what is given."""
        return initial_params.put(jax.jit(self._init, out_shardings=self._state_shardings)(), given)

    def compile_train_step(self) -> jax.stages.Compiled:
        """(state, batch) -> (next state, metrics); the memory of the state is used again for the next one."""
        step = jax.jit(self._train_step, out_shardings=(self._state_shardings, self._replicated), donate_argnums=0)
        return step.lower(self.state, self.batch).compile()

    def compile_eval_step(self, batches: Batch) -> jax.stages.Compiled:
        """(params, batches) -> metrics, for arrays like `batches` [number, B, ...]."""
        step = jax.jit(self._eval_step, out_shardings=self._replicated)
        return step.lower(self.state.params, batches).compile()

    @property
    def _state_shardings(self) -> TrainState:
        return jax.tree.map(lambda x: x.sharding, self.state)

    @property
    def _replicated(self) -> NamedSharding:
        return NamedSharding(self.mesh, P())


def make_program(config: Config, tokens: TokenSpace, mesh: Mesh, batch: dict[str, Any]) -> Program:
    """The program of a config on a mesh, for global batches of the shapes and dtypes of `batch`.

    Raises ConfigError if the model cannot be split over the mesh.
    """
    if config.model.num_heads % mesh.shape["tensor"]:
        raise ConfigError(
            f"model.num_heads is {config.model.num_heads}, expected a multiple of mesh.tensor={mesh.shape['tensor']}"
        )
    platform = mesh.devices.flat[0].platform
    network = VideoBert(attention.resolved(config.model, platform, config.data.sequence_length), tokens)
    objective = Pretraining(tokens.text_size)
    frozen_rows = _frozen_rows(config.model, tokens)

    def init_params(key: jax.Array) -> Params:
        row = {name: jnp.zeros((1, *x.shape[1:]), x.dtype) for name, x in batch.items()}
        return VideoBert(dataclasses.replace(config.model, attention="xla"), tokens).init(key, row)["params"]

    init = initializer(init_params, make_optimizer(config.optimizer, config.steps, frozen_rows), config.seed)
    rows = sharding.batch_sharding(mesh)
    return Program(
        mesh=mesh,
        state=sharding.placed(jax.eval_shape(init), mesh),
        batch={name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=rows) for name, x in batch.items()},
        flops=network.flops(batch),
        _init=init,
        _train_step=make_train_step(network, objective, config, frozen_rows),
        _eval_step=make_eval_step(network, objective, config),
    )


def _frozen_rows(config: ModelConfig, tokens: TokenSpace) -> range:
    """Rows of the token embedding that no update moves: words come first, visual words after them."""
    first = 0 if config.text_rows == "frozen" else tokens.text_size
    last = tokens.size if config.visual_rows == "frozen" else tokens.text_size
    return range(first, last)
