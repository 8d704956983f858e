"""What a run takes on a slice of TPU chips, found out without one: memory, time, collectives.

    python launch/plan.py --config=configs/paper.py --topology=v5e:16x16 --output=runs/plan

needs the TPU compiler, `pip install -e '.[plan]'`, and minutes for each program that it compiles. `plan.json` in
`--output` holds the figures, `videobert_jax/planning/estimate.py` how the time is estimated and how far to trust it.
With `--sweep` other batches, remat policies and meshes are tried, which takes hours; `sweep.json` then ranks those that
fit, and `plan.json` is of the first of them.
"""

import dataclasses
import json
import pathlib

from absl import flags, logging
from ml_collections import config_flags

from videobert_jax import cli

_CONFIG = config_flags.DEFINE_config_file("config", None, "What the run is: a file of configs/, with its argument.")
_TOPOLOGY = flags.DEFINE_string("topology", None, "Kind of chip and shape of the slice: v5e:16x16, v5p:4x4x4.")
_OUTPUT = flags.DEFINE_string("output", "runs/plan", "Folder for plan.json.")
_SWEEP = flags.DEFINE_bool("sweep", False, "Try other batches, remat policies and meshes, and rank those that fit.")


def main(_: list[str]) -> None:
    """Prints the plan and writes it. Raises on the first thing that is wrong, and so ends non-zero."""
    logging.set_verbosity(logging.WARNING)
    config = cli.config_of(_CONFIG)

    # Only now: a config that cannot be is found without waiting for JAX.
    import jax

    from videobert_jax.planning import plan as planning
    from videobert_jax.planning.summary import line, report

    jax.config.update("jax_platforms", "cpu")  # the compiler is all that is needed of a TPU
    topology = _TOPOLOGY.value or ""
    output = pathlib.Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)

    def write(name: str, plans: object) -> None:
        (output / name).write_text(json.dumps(plans, indent=2) + "\n")

    if not _SWEEP.value:
        plan = planning.make_plan(config, topology)
        print(report(plan))
        write("plan.json", dataclasses.asdict(plan))
        return
    plans = []
    for plan in planning.sweep(config, topology):
        print(line(plan), flush=True)
        plans.append(plan)
        best = planning.ranked(plans)
        write("sweep.json", [dataclasses.asdict(each) for each in best])
        write("plan.json", dataclasses.asdict(best[0] if best else plan))


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "topology"])
    cli.run(main)
