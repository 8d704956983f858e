"""Plans a run on a TPU slice without a TPU: memory, time and collectives.

    python launch/plan.py --config=configs/paper.py --topology=v5e:16x16 --output=runs/plan

Needs the TPU compiler, `pip install -e '.[plan]'`, and minutes per compiled program. Writes `plan.json` to `--output`;
`videobert_jax/planning/estimate.py` explains the time estimate and its limits. `--sweep` tries other batches, remat
policies and meshes, which takes hours; `sweep.json` then ranks those that fit, and `plan.json` holds the best.
"""

import dataclasses
import json
import pathlib

from absl import flags, logging
from ml_collections import config_flags

from videobert_jax import cli

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/, with its argument.")
_TOPOLOGY = flags.DEFINE_string("topology", None, "Kind of chip and shape of the slice: v5e:16x16, v5p:4x4x4.")
_OUTPUT = flags.DEFINE_string("output", "runs/plan", "Folder for plan.json.")
_SWEEP = flags.DEFINE_bool("sweep", False, "Try other batches, remat policies and meshes, and rank those that fit.")


def main(_: list[str]) -> None:
    """Prints and writes the plan, or the plans of a sweep."""
    logging.set_verbosity(logging.WARNING)
    config = cli.config_of(_CONFIG)

    # Imported late, so that an invalid config is reported without waiting for JAX.
    import jax

    from videobert_jax.planning import plan as planning
    from videobert_jax.planning.summary import line, report

    jax.config.update("jax_platforms", "cpu")  # planning needs the TPU compiler, but no TPU
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
