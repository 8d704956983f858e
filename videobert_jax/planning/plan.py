"""Plans a run on a TPU slice without a TPU: compiles the real step ahead of time with the real compiler.

`estimate.py` explains the time estimate and its limits.
"""

import dataclasses
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import jax
from jax.experimental import topologies
from jax.sharding import Mesh

from videobert_jax.config import AnsweringConfig, Config, LabelledConfig, MeshConfig, MixtureConfig, TaskConfig
from videobert_jax.config.tree import REMAT_POLICIES
from videobert_jax.errors import ConfigError
from videobert_jax.planning import chips, hlo
from videobert_jax.planning.estimate import Estimate, Total, estimate
from videobert_jax.tasks import labelled, make_task
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace
from videobert_jax.training import sharding
from videobert_jax.training.program import Program, make_program

BERT_VOCABULARY = 30_522  # assumed size of a named tokenizer, which only preparing would read
CLASSES = 1000  # assumed number where only labels would tell; their head is a small part of the model
FIRST_ROWS = 8  # rows per device at the start of a sweep
LAYOUTS = (MeshConfig(), MeshConfig(fsdp=4), MeshConfig(fsdp=16))  # meshes of a sweep
REFUSAL = re.compile(r"(?:Used |temporaries \()([\d.]+)([KMGT])")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclasses.dataclass(frozen=True)
class Plan:
    """The memory and time of a run on a slice. The fields with a default are None if the run does not fit.

    Attributes:
      topology: kind of chip and shape of the slice, such as "v5e:16x16".
      batch_size: rows of the global batch. A sweep varies it, `remat` and `mesh`.
      hbm_bytes_per_chip: state, batch, temporaries and code; if they do not fit, the size that the compiler reports.
      hbm_limit_bytes: memory of a chip that a program may use.
      model_flops_per_step: by the formula in `model/flops.py`, without recomputation.
      estimated_mfu: relative to the published peak of the chips, 0 to 1.
      tokens_per_second: positions, of which a few percent are padding.
      hours_for_run: for all steps, without evaluation, checkpoints and restarts.
      compute_seconds, exposed_collective_seconds, memory_seconds: the parts of the estimate.
      collectives: by kind; bytes are per device and step.
      slowest: seconds of compute by part of the model, largest first.
      without_cycles: seconds of compute without cycle estimates of the compiler, by opcode.
      silent_kernels: number of kernels that declare no FLOPs; if there are any, the estimate is too low.
    """

    topology: str
    chips: int
    mesh: dict[str, int]
    batch_size: int
    sequence_length: int
    remat: str
    hbm_bytes_per_chip: int
    hbm_limit_bytes: int
    fits: bool
    model_flops_per_step: float
    compile_seconds: float
    estimated_step_seconds: float | None = None
    estimated_mfu: float | None = None
    tokens_per_second: float | None = None
    hours_for_run: float | None = None
    chip_hours_for_run: float | None = None
    compute_seconds: float | None = None
    exposed_collective_seconds: float | None = None
    memory_seconds: float | None = None
    hbm_bytes_moved_per_step: int | None = None
    collectives: dict[str, Total] | None = None
    slowest: dict[str, float] | None = None
    without_cycles: dict[str, float] | None = None
    silent_kernels: int | None = None


def make_plan(config: Config, topology: str) -> Plan:
    """Compiles the training step of `config` for a slice such as "v5e:16x16" and estimates its memory and time.

    Takes minutes, and several GiB of host memory. Raises ConfigError if there is no such slice, or if the config cannot
    run on it.
    """
    device, mesh = slice_of(topology, config)
    data, per_chip = config.data, device.per_chip
    sharding.rows_of_device(mesh, data.batch_size, config.optimizer.accumulation)  # raises unless the rows divide
    start = time.perf_counter()
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        program = make_program(config, task_of(config), mesh)
        compiled = _compile(program)
    needed = compiled if isinstance(compiled, int) else _memory(compiled)
    plan = Plan(
        topology=topology,
        chips=mesh.size // per_chip,
        mesh=dict(mesh.shape),
        batch_size=data.batch_size,
        sequence_length=data.sequence_length,
        remat=config.model.remat,
        hbm_bytes_per_chip=per_chip * needed,
        hbm_limit_bytes=per_chip * device.memory,
        fits=not isinstance(compiled, int),
        model_flops_per_step=program.flops,
        compile_seconds=time.perf_counter() - start,
    )
    if isinstance(compiled, int):
        return plan
    places = [tuple(each.coords) for each in mesh.devices.flat]
    return _timed(plan, config, device, estimate(hlo.parse(compiled.as_text() or ""), device, places))


def sweep(config: Config, topology: str) -> Iterator[Plan]:
    """Yields plans of the config with other batches, remat policies and meshes.

    The batch doubles from `FIRST_ROWS` per device until it does not fit. The number of steps is scaled to the same
    number of tokens, so that hours are comparable; larger batches may still learn less from them.
    """
    devices = slice_of(topology, config)[1].size
    seen = config.steps * config.data.batch_size
    for mesh in LAYOUTS:
        if not _fits(mesh, config, topology):
            continue
        for remat in REMAT_POLICIES:
            rows = devices * FIRST_ROWS
            fits = True
            while fits:
                candidate = dataclasses.replace(
                    config,
                    steps=max(1, seen // rows),
                    mesh=mesh,
                    data=dataclasses.replace(config.data, batch_size=rows),
                    model=dataclasses.replace(config.model, remat=remat),
                    optimizer=dataclasses.replace(config.optimizer, accumulation=1),
                )
                plan = make_plan(candidate, topology)
                yield plan
                fits, rows = plan.fits, 2 * rows


def _fits(mesh: MeshConfig, config: Config, topology: str) -> bool:
    try:
        slice_of(topology, dataclasses.replace(config, mesh=mesh))
    except ConfigError:
        return False
    return True


def ranked(plans: list[Plan]) -> list[Plan]:
    """The plans that fit, fastest first."""
    return sorted((plan for plan in plans if plan.fits), key=lambda plan: -(plan.tokens_per_second or 0.0))


def slice_of(topology: str, config: Config) -> tuple[chips.Device, Mesh]:
    """The kind of device of a slice such as "v5e:16x16", and a mesh over its devices as `layout` chooses it.

    Raises ConfigError if there is no such slice, no such mesh, or no compiler.
    """
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # does not query the metadata server
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")  # no TPU is opened, so several plans may run at once
    megacore = {"chip_config_name": "megacore"} if topology.startswith("v4:") else {}  # as on Cloud TPU
    try:
        devices: list[Any] = list(topologies.get_topology_desc(topology, "tpu", **megacore).devices)
    except jax.errors.JaxRuntimeError as error:
        known = ", ".join(device.name for device in chips.DEVICES.values())
        raise ConfigError(
            f"no slice {topology!r} ({str(error).splitlines()[0]}); expected KIND:SHAPE, such as v5e:16x16 or "
            f"v5p:4x4x4, with a kind of {known}"
        ) from error
    except RuntimeError as error:
        raise ConfigError(f"plan needs the TPU compiler: pip install -e '.[plan]' ({error})") from error
    return chips.device_of(devices[0].device_kind), sharding.make_mesh(layout(config, len(devices)), devices)


def layout(config: Config, devices: int) -> MeshConfig:
    """The mesh of the config; if that is the default and there are fewer rows than devices, splits the model.

    Then `tensor` is the number of devices per row.
    """
    if config.mesh != MeshConfig() or config.data.batch_size >= devices:
        return config.mesh
    return MeshConfig(tensor=devices // config.data.batch_size)


def task_of(config: Config) -> Task:
    """The task of the config, over the vocabulary and the classes that it would have with data."""
    return make_task(dataclasses.replace(config, task=with_classes(config.task)), token_space(config))


def with_classes(section: TaskConfig) -> TaskConfig:
    """The section with classes, if it names none: as many answers as it allows, `CLASSES` of anything else."""
    if isinstance(section, MixtureConfig):
        parts = {name: dataclasses.replace(part, task=with_classes(part.task)) for name, part in section.parts.items()}
        return dataclasses.replace(section, parts=parts)
    if not isinstance(section, LabelledConfig) or section.classes:
        return section
    count = section.answers if isinstance(section, AnsweringConfig) else CLASSES
    return dataclasses.replace(section, classes=labelled.SEPARATOR.join(map(str, range(count))))


def token_space(config: Config) -> TokenSpace:
    """The joint vocabulary of the config; its sizes are those that preparing would produce."""
    prepare = config.prepare
    text = BERT_VOCABULARY if prepare.tokenizer else prepare.tokenizer_size
    words = TokenSpace(text, prepare.branching**prepare.depth, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5)
    return words.with_details(prepare.feature_size, prepare.codebooks, prepare.codebook_size)


def _compile(program: Program) -> jax.stages.Compiled | int:
    """The compiled step, or the bytes that it needs per device if it does not fit."""
    try:
        return program.compile_train_step()
    except jax.errors.JaxRuntimeError as error:
        needed = refused(str(error))
        if needed is None:
            raise
        return needed


def refused(message: str) -> int | None:
    """The bytes per device in the compiler's out-of-memory message; None if the message is another."""
    needed = REFUSAL.search(message)
    return int(float(needed[1]) * UNITS[needed[2]]) if needed else None


def _memory(compiled: jax.stages.Compiled) -> int:
    """Bytes per device; results that alias arguments count once."""
    sizes = compiled.memory_analysis()
    assert sizes is not None  # the TPU compiler always reports it
    held = sizes.argument_size_in_bytes + sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    return held + sizes.temp_size_in_bytes + sizes.generated_code_size_in_bytes


def _timed(plan: Plan, config: Config, device: chips.Device, found: Estimate) -> Plan:
    hours = config.steps * found.seconds / 3600
    peak = device.flops * device.per_chip * plan.chips
    return dataclasses.replace(
        plan,
        estimated_step_seconds=found.seconds,
        estimated_mfu=plan.model_flops_per_step / (found.seconds * peak),
        tokens_per_second=plan.batch_size * plan.sequence_length / found.seconds,
        hours_for_run=hours,
        chip_hours_for_run=hours * plan.chips,
        compute_seconds=found.compute,
        exposed_collective_seconds=found.exposed,
        memory_seconds=found.memory,
        hbm_bytes_moved_per_step=found.bytes_moved,
        collectives=dict(found.collectives),
        slowest=_largest(found.parts, 20),
        without_cycles=_largest(found.without_cycles, 5),
        silent_kernels=found.silent_kernels,
    )


def _largest(seconds: dict[str, float], number: int) -> dict[str, float]:
    return dict(sorted(seconds.items(), key=lambda item: -item[1])[:number])
