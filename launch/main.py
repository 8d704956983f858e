"""The main job: prepare the corpus if that is not done yet, pretrain, judge, and draw the report.

    python launch/main.py --config=configs/base.py --workdir=runs/base

A run that was stopped, in whatever way, goes on with the same command; one that is complete is judged again.
"""

import contextlib
import pathlib

from absl import flags, logging
from ml_collections import config_flags

from videobert_jax import door
from videobert_jax.prepare import pipeline as prepare
from videobert_jax.training import workdir as run_folder

_CONFIG = config_flags.DEFINE_config_file("config", None, "What the run is: a file of configs/, with its argument.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/base", "Folder of this run: checkpoints, metrics, report.")


def main(_: list[str]) -> None:
    """Does the whole job. Raises on the first thing that is wrong, and so ends non-zero."""
    logging.set_verbosity(logging.WARNING)  # the libraries tell a lot
    config = door.config_of(_CONFIG)
    workdir = pathlib.Path(_WORKDIR.value)
    run_folder.check(config, workdir)  # before anything that takes minutes
    prepared = prepare.prepare(config)

    # Only now: what is prepared is found without waiting for JAX.
    import jax

    from videobert_jax.training import final, loop

    first = jax.process_index() == 0
    with run_folder.working_in(workdir) if first else contextlib.nullcontext():
        loop.train(config, workdir, prepared)
        if first:
            final.judge(config, workdir, prepared)


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    door.run(main)
