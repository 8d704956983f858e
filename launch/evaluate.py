"""Judges the newest checkpoint of a run again: the zero-shot table, `zero_shot.json` and the report.

python launch/evaluate.py --workdir=runs/base
"""

import pathlib

from absl import flags, logging

from videobert_jax import cli
from videobert_jax import config as config_lib
from videobert_jax.config import check
from videobert_jax.evaluation import final
from videobert_jax.training.workdir import Workdir

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run.")


def main(_: list[str]) -> None:
    """Prints the table. Raises on the first thing that is wrong, and so ends non-zero."""
    logging.set_verbosity(logging.WARNING)
    workdir = Workdir(pathlib.Path(_WORKDIR.value or ""))
    prepared = workdir.prepared()
    config = config_lib.load(workdir.config_file)
    check(config)
    final.judge(config, workdir, prepared)


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    cli.run(main)
