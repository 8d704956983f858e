"""Bytes that instructions of a compiled program read from and write to the main memory of a device."""

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
KERNEL = 'custom_call_target="tpu_custom_call"'  # other custom calls are notes of the compiler to itself
TAKING_A_PART = ("dynamic-slice", "slice", "gather")  # of their first operand
COPIES = ("copy-start", "slice-start")  # (to, from) and ((from), to), which run beside other work


def moved(module: Module, computation: Computation, instruction: Instruction) -> int:
    """Bytes that one run of `instruction` moves; what it calls is not run by itself, unless it is a fusion.

    Where only a part of an array is read or written, as in a fusion around a slice, only that part counts. Arrays in
    other memories, such as those that the compiler keeps on the chip from one instruction to the next, do not count.
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
    """Bytes that `user` reads of its operand `name`, at most: more than the array has if all of it is read."""
    everything = 1 << 62
    if user.opcode == "tuple" or user.opcode in KINDS:  # in a fusion that a collective goes on beside
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
    """Bytes of `result` that are new: few, if it is an older array with a part replaced."""
    if result.opcode == "parameter" or result.opcode in KINDS:
        return 0
    if result.opcode == "bitcast":
        return _updated(computation, computation.instructions[result.operands[0]])
    if result.opcode == "dynamic-update-slice":
        return sum(array.size for array in computation.instructions[result.operands[1]].arrays)
    return sum(array.size for array in result.arrays)
