"""Evaluates the newest checkpoint of a run: prints the scores, writes `evaluation/*.json` and the report.

python launch/evaluate.py --workdir=runs/base
"""

import pathlib

from absl import flags, logging

from videobert_jax import cli
from videobert_jax.evaluation import run

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run.")


def main(_: list[str]) -> None:
    """Prints the table of scores."""
    logging.set_verbosity(logging.WARNING)
    run.evaluate(pathlib.Path(_WORKDIR.value or ""))


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    cli.run(main)
