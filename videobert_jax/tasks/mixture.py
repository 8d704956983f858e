"""Several tasks at once: one trunk, the heads of each; every row belongs to one of them."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from videobert_jax import tasks
from videobert_jax.config import Config, MixtureConfig
from videobert_jax.data.batching import Mixed, Share
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.mixture import MixtureRows
from videobert_jax.errors import ConfigError
from videobert_jax.model.mixture import Mixture, joined, of_part
from videobert_jax.objectives.objective import Arrays, Metrics, Objective
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace


@dataclasses.dataclass(frozen=True)
class Together:
    """The objectives of all parts, each over its own rows; the losses of "action" are named `loss/action/<selection>`.

    Attributes:
      parts: the objectives, by the part's name.
      factors: of the losses of each part in the total.
    """

    parts: Mapping[str, Objective]
    factors: Mapping[str, float]

    @property
    def weights(self) -> Mapping[str, float]:
        """Those of each part, times its factor."""
        return {
            f"{part}/{name}": self.factors[part] * weight
            for part, objective in self.parts.items()
            for name, weight in objective.weights.items()
        }

    @property
    def whole_batch(self) -> bool:
        """Whether a part compares its examples with each other."""
        return any(objective.whole_batch for objective in self.parts.values())

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """The sums and counts of all parts, for `model.mixture.Outputs`."""
        metrics: Metrics = {}
        for part, objective in self.parts.items():
            for name, pair in objective(outputs.parts[part], self._own(batch, part)).items():
                kind, _, selection = name.partition("/")
                metrics[f"{kind}/{part}/{selection}"] = pair
        return metrics

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """The count of each selection."""
        return {
            f"{part}/{name}": count
            for part, objective in self.parts.items()
            for name, count in objective.counts(self._own(batch, part)).items()
        }

    def _own(self, batch: Arrays, part: str) -> Arrays:
        """The batch as the part alone would have it, with an empty row in the place of each row of another part."""
        own = of_part(batch, part)
        mine = own.pop("part") == list(self.parts).index(part)
        return {name: jnp.where(mine.reshape(-1, *(1,) * (x.ndim - 1)), x, 0) for name, x in own.items()}


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config: the parts' frozen parameters stay for all."""
    sections = _section(config).parts
    parts = {}
    for name in sections:
        with _about(name):
            parts[name] = tasks.make_task(config_of(config, name), tokens)

    def examples(prepared: Prepared, split: str) -> Mixed:
        shares = []
        for name, part in parts.items():
            if sections[name].weight:
                with _about(name):
                    shares.append(Share(name, part.examples(prepared, split), part.group, sections[name].weight))
        return Mixed(tuple(shares))

    networks = {name: part.network for name, part in parts.items()}
    return Task(
        network=Mixture(config.model, tokens, heads=joined(networks)),
        objective=Together(
            {name: part.objective for name, part in parts.items()},
            {name: section.factor for name, section in sections.items()},
        ),
        row=MixtureRows({name: part.row for name, part in parts.items()}),
        group=1,
        examples=examples,
        frozen=tuple(dict.fromkeys(frozen for part in parts.values() for frozen in part.frozen)),
        parts=parts,
    )


def complete(config: Config, prepared: Prepared) -> Config:
    """The config with each part's section completed by itself."""
    section = _section(config)
    parts = dict(section.parts)
    for name, part in section.parts.items():
        with _about(name):
            completed = tasks.complete(config_of(config, name), prepared)
        parts[name] = dataclasses.replace(part, task=completed.task)
    return dataclasses.replace(config, task=dataclasses.replace(section, parts=parts))


def config_of(config: Config, part: str) -> Config:
    """The config of a part by itself. Raises ConfigError if there is no such part."""
    parts = _section(config).parts
    if part not in parts:
        raise ConfigError(f"the part is {part!r}, expected one of {', '.join(parts)}")
    return dataclasses.replace(config, task=parts[part].task)


def _section(config: Config) -> MixtureConfig:
    if not isinstance(config.task, MixtureConfig):
        raise ConfigError(f"config.task.name is {config.task.name!r}, expected 'mixture', which alone has parts")
    return config.task


@contextlib.contextmanager
def _about(part: str) -> Iterator[None]:
    """Says in every ConfigError which part's section is meant by config.task."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"in config.task.parts.{part}, whose `task` is config.task here: {error}") from error
