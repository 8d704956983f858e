"""The collectives of a compiled program: the bytes they send, and the links of the torus they use."""

import dataclasses
import math
import re
from collections.abc import Sequence

import numpy as np

from videobert_jax.planning.chips import HOP_SECONDS, Device
from videobert_jax.planning.hlo import Computation, Instruction, Module

KINDS = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "ragged-all-to-all", "reduce-scatter")
STARTS_WITH_OPERANDS = ("all-gather-start", "collective-permute-start")  # their results include their operands

CONTEXT = 8  # bytes; results up to this size are the semaphores of the transfer
# Roots of the fusions that start and end a collective which the TPU compiler overlaps with products:
STARTS, ENDS = 'custom_call_target="AsyncCollectiveStart"', 'custom_call_target="AsyncCollectiveDone"'

_LISTED = re.compile(r"(?:replica_groups|source_target_pairs)=\{\{([\d,]*)\}")
_IOTA = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\](?:, device_ids=\(\[([\d,]+)\](?:T\(([\d,]+)\))?\))? \{([^}]*)\}")
_AXIS = re.compile(r"'([^']+)'=(\d+)")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective; bytes are per device.

    Attributes:
      kind: one of `KINDS`.
      size: bytes of the operands or the results, whichever are larger.
      group: participating devices, by position in the mesh.
      key: identifies the instruction that ends it, see `ended_by`; None for a synchronous collective.
    """

    kind: str
    size: int
    group: tuple[int, ...]
    key: str | None = None

    @property
    def sent(self) -> float:
        """Bytes that leave a device, with the optimal algorithm."""
        others = 1 - 1 / len(self.group)
        return self.size * {"all-reduce": 2 * others, "collective-permute": 1.0}.get(self.kind, others)


def find(module: Module, computation: Computation, instruction: Instruction) -> Collective | None:
    """The collective that `instruction`, or the fusion that it calls, starts; None if there is none."""
    kind = instruction.opcode.removesuffix("-start")
    if kind in KINDS:
        operands = sum(a.size for name in instruction.operands for a in computation.instructions[name].arrays)
        results = sum(array.size for array in instruction.arrays)
        if instruction.opcode in STARTS_WITH_OPERANDS:
            results = sum(array.size for array in instruction.arrays if array.size > CONTEXT) - operands
        key = instruction.name if instruction.opcode != kind else None
        return Collective(kind, max(operands, results), _group(instruction, module.devices), key)
    if instruction.opcode == "fusion" and instruction.cycles is None:  # with cycles, it only continues beside a product
        called = module.computations[instruction.called[0]]
        found = next(filter(None, (find(module, called, inner) for inner in called.instructions.values())), None)
        if found and STARTS in called.root.attributes:
            return dataclasses.replace(found, key=_channel(called))
        if found and found.kind == "all-reduce" and called.root.opcode == "dynamic-slice":
            return dataclasses.replace(found, kind="reduce-scatter")
        return None if ENDS in called.root.attributes else found
    return None


def ended_by(module: Module, instruction: Instruction) -> str | None:
    """The key of the collective or copy that `instruction` waits for; None if it waits for none."""
    if instruction.opcode.endswith("-done"):
        return instruction.operands[0]
    if (
        instruction.opcode == "fusion"
        and ENDS in (called := module.computations[instruction.called[0]]).root.attributes
    ):
        return _channel(called)
    return None


def _channel(fused: Computation) -> str:
    """The channel id, which the separate instructions of one collective share."""
    found = (re.search(r"channel_id=\d+", x.attributes) for x in fused.instructions.values())
    return next(channel[0] for channel in found if channel)


def _group(instruction: Instruction, devices: int) -> tuple[int, ...]:
    """The first group of devices, in any of XLA's notations. Raises ValueError for an unknown notation."""
    text = instruction.attributes
    if listed := _LISTED.search(text):
        return _numbers(listed[1])
    if iota := _IOTA.search(text):
        return tuple(_places(devices, iota[2], iota[3]).reshape(_numbers(iota[1]))[0].tolist())
    if mesh := _MESH.search(text):
        axes = {name: int(size) for name, size in _AXIS.findall(mesh[1])}
        named = [part.strip(" '") for part in mesh[4].split(",")]
        if axes.keys() >= set(named) and math.prod(axes.values()) == devices:
            places = _places(devices, mesh[2] or str(devices), mesh[3]).reshape(tuple(axes.values()))
            kept = [slice(None) if name in named else 0 for name in axes]
            return tuple(places[tuple(kept)].flatten().tolist())
    if "replica_groups={}" in text:
        return tuple(range(devices))
    raise ValueError(f"cannot read the groups of {devices} devices of {instruction.name}: {text[:200]}")


def _places(devices: int, shape: str, order: str | None) -> np.ndarray:
    """All devices in XLA's iota notation: an array of `shape`, transposed by `order`."""
    places = np.arange(devices).reshape(_numbers(shape))
    return places.transpose(_numbers(order)) if order else places


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def seconds(collective: Collective, places: Sequence[tuple[int, ...]], device: Device) -> float:
    """The time of a collective, in seconds, if its links carry nothing else.

    Each side of the slice that the group spans gives a device one link, or two if the side is a ring; all links send at
    the same time. `places` are the coordinates of the devices, in the order of the mesh.
    """
    sides = [max(side) + 1 for side in zip(*places, strict=True)]
    links, hops = 0, 0
    for length, used in zip(sides, zip(*(places[i] for i in collective.group), strict=True), strict=True):
        spanned = len(set(used))
        ring = spanned == length and length % device.joined == 0
        links += (2 if ring else 1) if spanned > 1 else 0
        hops += spanned // 2 if ring else spanned - 1
    return collective.sent / (max(links, 1) * device.link) + hops * HOP_SECONDS
