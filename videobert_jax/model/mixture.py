"""One trunk with the heads of several networks."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import flax.linen as nn
import jax

from videobert_jax.model.trunk import Trunk

T = TypeVar("T")


class Outputs(NamedTuple):
    """The outputs of a mixture."""

    hidden: jax.Array  # [B, S, D] in the model's dtype
    parts: dict[str, Any]  # what each part's network says of all rows, those of other parts too, by the part's name


@dataclasses.dataclass(frozen=True)
class Heads:
    """The heads of one part. No tuple: Linen would take a network in one for a submodule.

    Attributes:
      part: its name.
      network: of the part by itself.
      prefix: with which the names of its heads begin in the mixture.
      names: of its heads, by itself.
    """

    part: str
    network: Trunk
    prefix: str
    names: tuple[str, ...]


class Mixture(Trunk):
    """Reads arrays of `data.rows.mixture`: those of the trunk, and each part's own under its name.

    Attributes:
      heads: of each part.
    """

    reads: ClassVar[tuple[str, ...]] = Trunk.reads
    heads: tuple[Heads, ...] = ()

    @property
    def arrays(self) -> tuple[str, ...]:
        """All that it reads of a batch: what the trunk reads, and what each part's heads do."""
        shared = super().arrays
        own = (f"{one.part}/{name}" for one in self.heads for name in one.network.arrays if name not in shared)
        return (*shared, *own)

    @nn.nowrap
    def add_heads(self, network: Trunk, prefix: str) -> None:
        """Adds the heads of all parts."""
        for one in self.heads:
            one.network.add_heads(network, prefix + one.prefix)

    @nn.nowrap
    def read(
        self, network: Trunk, prefix: str, hidden: jax.Array, batch: Mapping[str, jax.Array], deterministic: bool
    ) -> Outputs:
        """Reads what each part's network reads."""
        parts = {
            one.part: one.network.read(network, prefix + one.prefix, hidden, of_part(batch, one.part), deterministic)
            for one in self.heads
        }
        return Outputs(hidden, parts)

    @nn.nowrap
    def flops(self, batch: Mapping[str, Any]) -> float:
        """Model FLOPs of one forward and backward pass: of the trunk once, and of each part's heads for all rows."""
        total = super().flops(batch)
        for one in self.heads:
            own = of_part(batch, one.part)
            total += one.network.flops(own) - Trunk.flops(one.network, own)
        return total

    @nn.nowrap
    def params_of(self, params: Mapping[str, Any], part: str) -> dict[str, Any]:
        """The parameters of a part's network by itself, out of those of the mixture: the same arrays."""
        every = {one.prefix + name for one in self.heads for name in one.names}
        (mine,) = (one for one in self.heads if one.part == part)
        own = {name: params[mine.prefix + name] for name in mine.names if mine.prefix + name in params}
        return {name: value for name, value in params.items() if name not in every} | own


def joined(networks: Mapping[str, Trunk]) -> tuple[Heads, ...]:
    """The heads of several networks over the same trunk; if names of two are the same, their parts' names go before."""
    names = {part: _head_names(network) for part, network in networks.items()}
    every = [name for some in names.values() for name in some]
    return tuple(
        Heads(part, network, f"{part}_" if any(every.count(name) > 1 for name in names[part]) else "", names[part])
        for part, network in networks.items()
    )


def _head_names(network: Trunk) -> tuple[str, ...]:
    """The attributes that `add_heads` sets."""
    seen: Any = types.SimpleNamespace()
    network.add_heads(seen, "")
    return tuple(vars(seen))


def of_part(batch: Mapping[str, T], part: str) -> dict[str, T]:
    """The arrays that all parts share and those of one, as the part's own rows name them."""
    shared = {name: array for name, array in batch.items() if "/" not in name}
    own = {name.removeprefix(f"{part}/"): array for name, array in batch.items() if name.startswith(f"{part}/")}
    return shared | own
