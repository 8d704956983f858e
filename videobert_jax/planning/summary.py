"""Plans as text."""

from videobert_jax.planning.plan import Plan

GIB = 2**30


def line(plan: Plan) -> str:
    """A plan on one line."""
    mesh = " x ".join(f"{axis} {size}" for axis, size in plan.mesh.items() if size > 1) or "1 device"
    head = f"{plan.batch_size:6,} rows, remat {plan.remat:5}, {mesh:24} {plan.hbm_bytes_per_chip / GIB:6.2f} GiB"
    if plan.estimated_step_seconds is None:
        return f"{head}  does not fit"
    silent = f"  too optimistic: {plan.silent_kernels} kernels declare no FLOPs" if plan.silent_kernels else ""
    return (
        f"{head}  {plan.tokens_per_second:12,.0f} tokens/s  MFU {plan.estimated_mfu:.1%}  {plan.hours_for_run:,.1f} h"
        f"{silent}"
    )


def flags(plan: Plan) -> str:
    """The command line flags that reproduce a plan, which may differ from the config in mesh, batch and remat."""
    mesh = " ".join(f"--config.mesh.{axis}={size}" for axis, size in plan.mesh.items())
    return f"--config.data.batch_size={plan.batch_size} --config.model.remat={plan.remat} {mesh}"


def report(plan: Plan) -> str:
    """A full report of a plan."""
    head = (
        f"{plan.topology}, {plan.chips} chips: {line(plan).strip()}\n"
        f"memory: {plan.hbm_bytes_per_chip / GIB:.2f} of {plan.hbm_limit_bytes / GIB:.2f} GiB a chip; "
        f"compiled in {plan.compile_seconds:.0f} s\n"
        f"as: {flags(plan)}"
    )
    if plan.estimated_step_seconds is None:
        return f"{head}\ndoes not fit: try a smaller batch, --config.model.remat=full, or more mesh.fsdp or mesh.tensor"
    moved = [
        f"  {kind}: {total.count} a step, {total.bytes / 1e6:,.1f} MB, {total.sent / 1e6:,.1f} MB sent, "
        f"{1e3 * total.seconds:.2f} ms on the links"
        for kind, total in sorted((plan.collectives or {}).items())
    ]
    slowest = [f"  {1e3 * seconds:8.2f} ms  {part}" for part, seconds in list((plan.slowest or {}).items())[:10]]
    made_of = (
        f"compute {1e3 * (plan.compute_seconds or 0):.1f} + exposed collectives "
        f"{1e3 * (plan.exposed_collective_seconds or 0):.1f}, or memory {1e3 * (plan.memory_seconds or 0):.1f} "
        f"({(plan.hbm_bytes_moved_per_step or 0) / 1e9:.1f} GB)"
    )
    return "\n".join(
        [
            head,
            f"step: {1e3 * plan.estimated_step_seconds:.1f} ms estimated: {made_of}",
            f"run: {plan.hours_for_run:,.1f} hours, {plan.chip_hours_for_run:,.0f} chip hours",
            "collectives of a device:",
            *(moved or ["  none"]),
            "slowest parts:",
            *slowest,
            "the method of this estimate and its limits: videobert_jax/planning/estimate.py",
        ]
    )
