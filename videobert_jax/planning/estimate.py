"""Estimates the time of a compiled program on a TPU from the TPU compiler's figures for each instruction.

The estimate has three parts, each in seconds of one device; the body of a loop counts once per iteration.

* **compute**: the compiler's cycle estimates divided by the clock. They include reading operands and writing results,
  at the bandwidth that the compiler assumes: for a pure copy on a v5e, about 60 % of the published one. Pallas kernels
  have no cycle estimates. For them we take the FLOPs that the kernel declares at half of the published peak (64
  channels of attention use half of a matrix unit 128 wide), or the bytes that it moves divided by the bandwidth,
  whichever takes longer. This is a guess: it assumes that the other work of a kernel overlaps its products. For other
  instructions without cycles, and for kernels that declare nothing, only the bytes count. Splash attention, used for
  rows of more than 1,024 positions, is such a kernel. These kernels are counted, and the estimate is then too low.
* **exposed communication**: for each collective, the bytes that leave the device divided by the bandwidth of the links
  that its group spans, plus a microsecond per hop. An asynchronous collective overlaps the instructions between its
  start and its end; only the rest is exposed.
* **memory**: all bytes read and written, divided by the bandwidth. Asynchronous copies between HBM and on-chip memory
  count only here.

`seconds` is the maximum of memory and of the sum of compute and exposed communication. It has not been compared with a
real TPU: it is more reliable for ranking programs on one kind of chip, and for finding what limits a step, than as a
time. It ignores contention, waiting for the host or for input, and the slowdown of a fully loaded torus.
"""

import collections
import dataclasses
import re
from collections.abc import Sequence

from videobert_jax.planning import collectives, traffic
from videobert_jax.planning.chips import Device
from videobert_jax.planning.hlo import Computation, Instruction, Module

KERNEL_SHARE = 0.5  # of the peak; see the module docstring
_KERNEL_FLOPS = re.compile(r'"cost_estimate":\{"flops":"(\d+)"')


@dataclasses.dataclass
class Total:
    """All collectives of one kind in one run of the program, on one device.

    Attributes:
      count: how many.
      bytes: of the operands or the results, whichever are larger.
      sent: bytes that leave the device.
      seconds: on the links, overlapped or exposed.
    """

    count: int = 0
    bytes: int = 0
    sent: float = 0.0
    seconds: float = 0.0


@dataclasses.dataclass
class Estimate:
    """One run of a program on one device; times in seconds.

    Attributes:
      compute: time of the instructions, without collectives.
      exposed: time of collectives that does not overlap compute.
      memory: time to move the bytes.
      bytes_moved: read from and written to HBM.
      collectives: by kind.
      parts: compute by part of the model.
      without_cycles: compute of instructions without cycle estimates, by opcode.
      silent_kernels: number of kernels that declare no FLOPs.
    """

    compute: float = 0.0
    exposed: float = 0.0
    memory: float = 0.0
    bytes_moved: int = 0
    collectives: dict[str, Total] = dataclasses.field(default_factory=lambda: collections.defaultdict(Total))
    parts: dict[str, float] = dataclasses.field(default_factory=lambda: collections.defaultdict(float))
    without_cycles: dict[str, float] = dataclasses.field(default_factory=lambda: collections.defaultdict(float))
    silent_kernels: int = 0

    @property
    def seconds(self) -> float:
        """The estimated time."""
        return max(self.compute + self.exposed, self.memory)


def estimate(module: Module, device: Device, places: Sequence[tuple[int, ...]]) -> Estimate:
    """Estimates a program; `places` are the coordinates of its devices in the slice, in the order of the mesh."""
    walk = _Walk(module, device, places)
    walk.run(module.entry, times=1)
    walk.result.memory = walk.result.bytes_moved / device.bandwidth
    return walk.result


class _Walk:
    """Visits the instructions of a program in execution order and sums their costs."""

    def __init__(self, module: Module, device: Device, places: Sequence[tuple[int, ...]]) -> None:
        self._module, self._device, self._places = module, device, places
        self.result = Estimate()

    def run(self, computation: Computation, times: int) -> float:
        """Adds `times` runs of `computation`; returns the seconds of one."""
        now = links_free = 0.0
        ends: dict[str, float] = {}  # of collectives in progress
        for instruction in computation.instructions.values():
            if instruction.opcode == "while":
                trips = self._module.trips(instruction)
                now += trips * self.run(self._module.computations[instruction.called[1]], times * trips)
            elif instruction.opcode in ("call", "conditional"):
                # It is unknown which branch runs, so all count.
                now += sum(self.run(self._module.computations[name], times) for name in instruction.called)
            elif (key := collectives.ended_by(self._module, instruction)) is not None:
                waited = max(0.0, ends.pop(key, now) - now)
                self.result.exposed += times * waited
                now += waited
            elif collective := collectives.find(self._module, computation, instruction):
                links_free = max(now, links_free) + self._add_collective(collective, times)
                if collective.key is not None:
                    ends[collective.key] = links_free
                else:
                    self.result.exposed += times * (links_free - now)
                    now = links_free
            else:
                now += self._add_compute(computation, instruction, times)
        return now

    def _add_collective(self, collective: collectives.Collective, times: int) -> float:
        seconds = collectives.seconds(collective, self._places, self._device)
        total = self.result.collectives[collective.kind]
        total.count += times
        total.bytes += times * collective.size
        total.sent += times * collective.sent
        total.seconds += times * seconds
        return seconds

    def _add_compute(self, computation: Computation, instruction: Instruction, times: int) -> float:
        moved = traffic.moved(self._module, computation, instruction)
        self.result.bytes_moved += times * moved
        if instruction.opcode in traffic.COPIES:
            return 0.0
        if instruction.cycles is None:
            if traffic.KERNEL in instruction.attributes and not kernel_flops(instruction):
                self.result.silent_kernels += times
            seconds = max(
                moved / self._device.bandwidth, kernel_flops(instruction) / (KERNEL_SHARE * self._device.flops)
            )
            if seconds:
                self.result.without_cycles[instruction.opcode] += times * seconds
        else:
            seconds = instruction.cycles / self._device.clock
        self.result.compute += times * seconds
        self.result.parts[_part(instruction.label)] += times * seconds
        return seconds


def kernel_flops(instruction: Instruction) -> int:
    """The FLOPs that a Pallas kernel declares; 0 for other instructions."""
    found = _KERNEL_FLOPS.search(instruction.attributes) if traffic.KERNEL in instruction.attributes else None
    return int(found[1]) if found else 0


def _part(label: str) -> str:
    """Shortens JAX's name of an operation, for example to "backward encoder/layers/mlp/wi/dot_general"."""
    names = [re.sub(r"^(?:\w+\()+|\)+$", "", name) for name in label.split("/")[1:]]
    kept = [name for name in names if name and name not in ("while", "body", "closed_call", "cond")]
    if "jvp(" not in label:
        return "/".join(["update", *kept])
    return ("backward " if "transpose(" in label else "forward ") + "/".join(kept[1:])
