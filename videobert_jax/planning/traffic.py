"""The bytes that instructions of a compiled program read from and write to HBM."""

from videobert_jax.planning.collectives import KINDS
from videobert_jax.planning.hlo import HBM, Array, Computation, Instruction, Module

PASSED_ON = (
    "bitcast",
    "get-tuple-element",
    "tuple",
    "parameter",
    "constant",
    "after-all",
    "partition-id",
    "replica-id",
)
KERNEL = 'custom_call_target="tpu_custom_call"'  # other custom calls are compiler annotations
TAKING_A_PART = ("dynamic-slice", "slice", "gather")  # reads a part of its first operand
COPIES = ("copy-start", "slice-start")  # asynchronous; their results are (to, from) and ((from), to)


def moved(module: Module, computation: Computation, instruction: Instruction) -> int:
    """The bytes that one run of `instruction` moves, without the computations it calls, unless it is a fusion.

    If only a part of an array is read or written, as in a fusion around a slice, only that part counts. Arrays in other
    memory spaces, such as those that the compiler keeps on the chip between instructions, do not count.
    """
    if instruction.opcode in PASSED_ON or instruction.opcode.endswith("-done"):
        return 0
    if instruction.opcode == "custom-call" and KERNEL not in instruction.attributes:
        return 0
    if instruction.opcode in COPIES:
        ends = instruction.arrays[:2]
        return min(end.size for end in ends) * sum(end.space == HBM for end in ends)
    operands = [computation.instructions[name] for name in dict.fromkeys(instruction.operands)]
    read = sum(min(_in_memory(x.arrays), _read(module, instruction, x.name)) for x in operands)
    return read + _written(module, computation, instruction)


def _in_memory(arrays: tuple[Array, ...]) -> int:
    return sum(array.size for array in arrays if array.space == HBM)


def _read(module: Module, user: Instruction, name: str) -> int:
    """An upper bound of the bytes that `user` reads of its operand `name`; a huge number if it may read all."""
    everything = 1 << 62
    if user.opcode == "tuple" or user.opcode in KINDS:  # in a fusion that overlaps a collective
        return 0
    if user.opcode == "fusion":
        fused = module.computations[user.called[0]]
        inner = [fused.parameters[i].name for i, operand in enumerate(user.operands) if operand == name]
        return sum(_read(module, next_user, each) for each in inner for next_user in fused.users[each])
    if user.operands[0] == name and user.operands.count(name) == 1:
        if user.opcode in TAKING_A_PART:
            return sum(array.size for array in user.arrays)
        if user.opcode == "dynamic-update-slice":
            return 0
    return everything


def _written(module: Module, computation: Computation, instruction: Instruction) -> int:
    results = [instruction]
    if instruction.opcode == "fusion":
        computation = module.computations[instruction.called[0]]
        root = computation.root
        results = [computation.instructions[name] for name in root.operands] if root.opcode == "tuple" else [root]
    if len(results) != len(instruction.arrays):
        return _in_memory(instruction.arrays)
    return sum(
        min(array.size, _updated(computation, result))
        for array, result in zip(instruction.arrays, results, strict=True)
        if array.space == HBM
    )


def _updated(computation: Computation, result: Instruction) -> int:
    """The bytes of `result` that are newly written: only the update, if it is an in-place update of an array."""
    if result.opcode == "parameter" or result.opcode in KINDS:
        return 0
    if result.opcode == "bitcast":
        return _updated(computation, computation.instructions[result.operands[0]])
    if result.opcode == "dynamic-update-slice":
        return sum(array.size for array in computation.instructions[result.operands[1]].arrays)
    return sum(array.size for array in result.arrays)
