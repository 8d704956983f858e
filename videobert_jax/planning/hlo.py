"""A parser for the text of compiled programs, as `jax.stages.Compiled.as_text()` returns it.

It keeps what an estimate needs: the results and operands of each instruction, the computations it calls, and the TPU
compiler's estimate of its cycles. The instructions of a computation run in the order of the text.
"""

import dataclasses
import functools
import math
import re

HBM = 0  # memory space of layouts without S(...); all others are on the chip
BITS = {"pred": 8, "token": 0, "opaque": 0}  # of types whose names have no number

_ARRAY = re.compile(r"([a-z]\w*)\[([\d,<=]*)\](?:\{([^}]*)\})?")
_INSTRUCTION = re.compile(r"\s+(ROOT )?%([\w.\-]+) = ")
_COMPUTATION = re.compile(r"(ENTRY )?%([\w.\-]+) \(.*\{$")
_CONTINUED = re.compile(r"\n(?=\}.|[^\s%}EH])")  # attributes may contain line breaks; no instruction begins like this
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(
    r"(?:calls|to_apply|condition|body|branch_computations|called_computations)=(?:%([\w.\-]+)|{([^}]*)})"
)
_CYCLES = re.compile(r'"estimated_cycles":"?(\d+)')
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')


@dataclasses.dataclass(frozen=True)
class Array:
    """An array, or an element of a tuple.

    Attributes:
      size: bytes, without the padding of tiles.
      space: memory space; 0 for HBM.
    """

    size: int
    space: int


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
      arrays: its results; several for a tuple.
      operands: names of the instructions that produce its inputs.
      called: names of the computations it calls, in the order of the text.
      cycles: estimated by the TPU compiler, or None.
      attributes: the rest of the line.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    called: tuple[str, ...]
    cycles: int | None
    attributes: str

    @property
    def label(self) -> str:
        """The `op_name` that JAX gave it, with the scopes of the model; empty if there is none."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found[1] if found else ""


@dataclasses.dataclass(frozen=True)
class Computation:
    """Instructions by name, in execution order; `root` is the result."""

    name: str
    instructions: dict[str, Instruction]
    root: Instruction

    @functools.cached_property
    def users(self) -> dict[str, list[Instruction]]:
        """The instructions that use the result of each instruction, by name."""
        users: dict[str, list[Instruction]] = {name: [] for name in self.instructions}
        for instruction in self.instructions.values():
            for operand in dict.fromkeys(instruction.operands):
                users[operand].append(instruction)
        return users

    @functools.cached_property
    def parameters(self) -> list[Instruction]:
        """The parameters, in the order of the arguments."""
        found = [x for x in self.instructions.values() if x.opcode == "parameter"]
        return sorted(found, key=lambda x: int(x.attributes.split(")")[0]))


@dataclasses.dataclass(frozen=True)
class Module:
    """A whole program, which runs on `devices` devices."""

    computations: dict[str, Computation]
    entry: Computation
    devices: int

    def trips(self, loop: Instruction) -> int:
        """The trip count of a `while`: XLA's annotation, or the bound in its condition, as JAX's scans count from 0.

        Raises ValueError if the condition is not a less-than comparison with one constant.
        """
        if noted := _TRIPS.search(loop.attributes):
            return int(noted[1])
        condition = self.computations[loop.called[0]]
        constants = [x for x in condition.instructions.values() if x.opcode == "constant" and x.arrays[0].size == 4]
        directions = {x for c in self._reached(condition) for x in re.findall(r"direction=(\w+)", c.root.attributes)}
        if len(constants) != 1 or directions != {"LT"}:
            raise ValueError(
                f"cannot tell how often {loop.name} runs: its condition {condition.name} has {len(constants)} "
                f"constants and comparisons {sorted(directions)}, expected one constant and LT"
            )
        return int(constants[0].attributes.split(")")[0])

    def _reached(self, computation: Computation) -> list[Computation]:
        inner = [self.computations[name] for x in computation.instructions.values() for name in x.called]
        return [computation, *(c for each in inner for c in self._reached(each))]


def parse(text: str) -> Module:
    """Parses the text of a compiled program. Raises ValueError if it has no entry computation."""
    computations: dict[str, Computation] = {}
    instructions: dict[str, Instruction] = {}
    entry, name, root = None, "", None
    for line in _CONTINUED.sub(" ", text).splitlines():
        if head := _COMPUTATION.match(line):
            name, instructions = head[2], {}
            entry = name if head[1] else entry
        elif line == "}" and instructions and root:
            computations[name] = Computation(name, instructions, root)
            instructions = {}
        elif found := _INSTRUCTION.match(line):
            instruction = _instruction(found[2], line[found.end() :])
            instructions[instruction.name] = instruction
            root = instruction if found[1] else root
    if entry is None:
        raise ValueError(f"the text of a compiled program has no ENTRY computation; it begins with {text[:80]!r}")
    devices = re.search(r"num_partitions=(\d+)", text.partition("\n")[0])
    return Module(computations, computations[entry], int(devices[1]) if devices else 1)


def _instruction(name: str, rest: str) -> Instruction:
    """Parses the rest of a line: `type opcode(operands), attributes`."""
    end = _closing(rest, 0) if rest.startswith("(") else rest.index(" ")
    kind, rest = rest[:end], rest[end + 1 :]
    start = rest.index("(")
    end = _closing(rest, start)
    operands, attributes = rest[start:end], rest[end:]
    opcode = rest[:start]
    if opcode in ("parameter", "constant"):
        attributes = operands[1:] + attributes  # its number or value, up to the closing bracket
    called = [one or several for one, several in _CALLED.findall(attributes)]
    cycles = _CYCLES.search(attributes)
    return Instruction(
        name=name,
        opcode=opcode,
        arrays=tuple(_array(*found) for found in _ARRAY.findall(kind)),
        operands=tuple(_NAME.findall(operands)),
        called=tuple(part.strip(" %") for names in called for part in names.split(",")),
        cycles=int(cycles[1]) if cycles else None,
        attributes=attributes,
    )


def _closing(text: str, start: int) -> int:
    """The position after the bracket that matches the one at `start`."""
    depth = 0
    for found in re.compile(r"[()]").finditer(text, start):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.end()
    raise ValueError(f"no bracket closes {text[start : start + 80]!r}")


def _array(kind: str, dimensions: str, layout: str) -> Array:
    bits = BITS[kind] if kind in BITS else int(re.findall(r"\d+", kind)[0])
    elements = math.prod(int(re.sub(r"\D", "", size)) for size in dimensions.split(",") if size)
    space = re.search(r"S\((\d+)\)", layout)
    return Array(elements * bits // 8, int(space[1]) if space else HBM)
