"""What a task is: all that the training loop, the evaluators and the planner need to know about it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from videobert_jax.config import Config, ModelConfig
from videobert_jax.data.batching import Examples, RowMaker
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.model.embeddings import TOKEN_TABLE
from videobert_jax.model.trunk import Trunk
from videobert_jax.model.visual_input import TABLES
from videobert_jax.objectives.objective import Objective
from videobert_jax.tokens import TokenSpace


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
      group: how many examples a row is made of; of a mixture, each part has its own.
      examples: (prepared folder, split) -> examples, with random access.
      frozen: parameters that no update moves.
      parts: the tasks that this one is a mixture of, by name; each as it would be by itself.
    """

    network: Trunk
    objective: Objective
    row: RowMaker[Any]
    group: int
    examples: Callable[[Prepared, str], Examples[Any]]
    frozen: tuple[Frozen, ...] = ()
    parts: Mapping[str, "Task"] = dataclasses.field(default_factory=dict)

    def init(self, key: jax.Array) -> Any:
        """First parameters of the network, float32; trace it for their shapes alone."""
        plain = self.network.clone(config=dataclasses.replace(self.network.config, attention="xla"))
        row = {name: jnp.zeros((1, *spec.shape), spec.dtype) for name, spec in self.row.shapes.items()}
        return plain.init(key, row)["params"]

    def abstract_params(self) -> Any:
        """The tree of parameters as `jax.ShapeDtypeStruct`."""
        return jax.eval_shape(self.init, jax.random.key(0))


def as_read(network: Trunk) -> TokenSpace:
    """The joint vocabulary with only those details of clips that the network reads: rows hold no others.

    Raises ConfigError if the network reads more than the records hold.
    """
    wanted, tokens = network.config.visual_input, network.tokens
    feature_size = tokens.feature_size if "clip_features" in network.arrays else 0
    codebooks = tokens.codebooks if "clip_codes" in network.arrays else 0
    if wanted != "words" and not feature_size + codebooks:
        missing = "feature_size" if "clip_features" in network.arrays else "codebooks"
        raise ConfigError(
            f"model.visual_input is {wanted!r}, but the records hold no such thing (prepare.{missing} was 0 when they "
            f"were prepared): set --config.prepare.{missing}, or --config.model.visual_input=words"
        )
    return dataclasses.replace(tokens, feature_size=feature_size, codebooks=codebooks)


def frozen_tokens(config: ModelConfig, tokens: TokenSpace) -> tuple[Frozen, ...]:
    """The rows of the token table that the config freezes: words come first, visual words after them."""
    first = 0 if config.text_rows == "frozen" else tokens.text_size
    last = tokens.size if config.visual_rows == "frozen" else tokens.text_size
    rows = (Frozen(TOKEN_TABLE, range(first, last)),) if first < last else ()
    return (*rows, *map(Frozen, TABLES[config.visual_input]))


def frozen_trunk(config: Config) -> tuple[Frozen, ...]:
    """All of the trunk, so that heads alone are trained. Raises ConfigError if it would stay as it was drawn."""
    if not config.init_from:
        raise ConfigError(
            "config.task.frozen is True, but config.init_from is '': the trunk would stay as random as it began; name "
            "a pretrained workdir with --config.init_from"
        )
    return tuple(map(Frozen, ("embeddings", "encoder", "video_encoder", "join", "pooler")))
