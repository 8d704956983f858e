"""What a task is: all that the training loop, the evaluators and the planner need to know about it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from videobert_jax.data.batching import Examples, RowMaker
from videobert_jax.data.prepared import Prepared
from videobert_jax.model.trunk import Trunk
from videobert_jax.objectives.objective import Objective


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A parameter that no update moves.

    Attributes:
      path: its path, or the start of the paths of several, such as "encoder".
      rows: those of its rows that stay; None: all of it.
    """

    path: str
    rows: range | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """The parts of a task. Nothing below `tasks/` asks which task it is.

    Attributes:
      network: (batch, deterministic) -> outputs, the only way into a model, for training, evaluation, inference and
        export; see `model.trunk.Trunk`. All networks have the trunk's parameters at the same paths, so that each can
        start from another.
      objective: (outputs, batch) -> metrics; see `objectives.objective`.
      row: makes a row of some examples, with NumPy; declares the arrays of a row.
      group: how many examples a row is made of.
      examples: (prepared folder, split) -> examples, with random access.
      frozen: parameters that no update moves.
    """

    network: Trunk
    objective: Objective
    row: RowMaker[Any]
    group: int
    examples: Callable[[Prepared, str], Examples[Any]]
    frozen: tuple[Frozen, ...] = ()

    def init(self, key: jax.Array) -> Any:
        """First parameters of the network, float32; trace it for their shapes alone."""
        plain = self.network.clone(config=dataclasses.replace(self.network.config, attention="xla"))
        row = {name: jnp.zeros((1, *spec.shape), spec.dtype) for name, spec in self.row.shapes.items()}
        return plain.init(key, row)["params"]

    def abstract_params(self) -> Any:
        """The tree of parameters as `jax.ShapeDtypeStruct`."""
        return jax.eval_shape(self.init, jax.random.key(0))
