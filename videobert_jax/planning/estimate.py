"""How long a compiled program takes on a TPU, from what the TPU compiler says about each of its instructions.

The estimate is made of three times, all of one device, the body of a loop counted as often as it runs:

* **compute**: the cycles that the compiler foresees for each instruction, over the clock. They contain the time in
  which operands come from memory and results go there, at what the compiler takes for its speed: where nothing is
  computed, it counts on about 60 % of the published bandwidth of a v5e. It foresees none for a kernel written in
  Pallas; there we take what the kernel says that it computes at half of the published peak, which is what 64 channels
  of attention leave of a matrix unit 128 wide, or the bytes that it moves over the bandwidth, if that takes longer.
  That is a guess: what a kernel does besides products is taken to run beside them. For all other instructions
  without cycles the bytes count alone; so they do for a kernel that says nothing, such as splash attention, which rows
  of over 1,024 positions have. Such kernels are counted, and the time is then too short.
* **exposed communication**: for each collective, the bytes that leave the device over the links that its group spans,
  and a microsecond for each hop. A collective that starts and ends in two instructions runs beside what stands between
  them, and only the rest is exposed.
* **memory**: all bytes read and written, over the bandwidth. Copies between memory and chip that run beside other work
  are counted here alone.

`seconds` is compute and exposed communication together, or memory if that takes longer. Nothing here was compared with
a real TPU: trust it to rank programs for one kind of chip, and to say what bounds a step, more than as a time. It knows
nothing of contention, of waiting for the host or for input, and of how much slower a full torus is than its links.
"""

import collections
import dataclasses
import re
from collections.abc import Sequence

from videobert_jax.planning import collectives, traffic
from videobert_jax.planning.chips import Device
from videobert_jax.planning.hlo import Computation, Instruction, Module

KERNEL_SHARE = 0.5  # of the peak; see above
_KERNEL_FLOPS = re.compile(r'"cost_estimate":\{"flops":"(\d+)"')


@dataclasses.dataclass
class Total:
    """All collectives of one kind in one run of the program, on one device.

    Attributes:
      count: how many.
      bytes: of the larger of operands and results.
      sent: bytes that leave the device.
      seconds: on the links, hidden or not.
    """

    count: int = 0
    bytes: int = 0
    sent: float = 0.0
    seconds: float = 0.0


@dataclasses.dataclass
class Estimate:
    """Of one run of a program, on one device; times in seconds.

    Attributes:
      compute: time of the instructions, collectives left out.
      exposed: time of the collectives that nothing hides.
      memory: time that the bytes take.
      bytes_moved: read from and written to HBM.
      collectives: by kind.
      parts: compute by the part of the model.
      without_cycles: compute of the instructions that the compiler foresees no cycles for, by opcode.
      silent_kernels: how many kernels say nothing of what they compute.
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
        """The estimate."""
        return max(self.compute + self.exposed, self.memory)


def estimate(module: Module, device: Device, places: Sequence[tuple[int, ...]]) -> Estimate:
    """Estimates a program on devices at `places`, their coordinates in the slice in the order of the mesh."""
    walk = _Walk(module, device, places)
    walk.run(module.entry, times=1)
    walk.result.memory = walk.result.bytes_moved / device.bandwidth
    return walk.result


class _Walk:
    """Goes through a program in the order in which it runs, and adds up."""

    def __init__(self, module: Module, device: Device, places: Sequence[tuple[int, ...]]) -> None:
        self._module, self._device, self._places = module, device, places
        self.result = Estimate()

    def run(self, computation: Computation, times: int) -> float:
        """Adds `times` runs of `computation`; returns the seconds of one."""
        now = links_free = 0.0
        ends: dict[str, float] = {}  # of the collectives under way
        for instruction in computation.instructions.values():
            if instruction.opcode == "while":
                trips = self._module.trips(instruction)
                now += trips * self.run(self._module.computations[instruction.called[1]], times * trips)
            elif instruction.opcode in ("call", "conditional"):
                # Which branch will be taken is not known: all count.
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
    """FLOPs that a Pallas kernel says it computes; 0 for all else."""
    found = _KERNEL_FLOPS.search(instruction.attributes) if traffic.KERNEL in instruction.attributes else None
    return int(found[1]) if found else 0


def _part(label: str) -> str:
    """Of the name that JAX gives to an operation, what tells: such as "backward encoder/layers/mlp/wi/dot_general"."""
    names = [re.sub(r"^(?:\w+\()+|\)+$", "", name) for name in label.split("/")[1:]]
    kept = [name for name in names if name and name not in ("while", "body", "closed_call", "cond")]
    if "jvp(" not in label:
        return "/".join(["update", *kept])
    return ("backward " if "transpose(" in label else "forward ") + "/".join(kept[1:])
