"""Judges the newest checkpoint of a run again: the zero-shot table, `zero_shot.json` and the report.

python launch/evaluate.py --workdir=runs/base
"""

import pathlib

from absl import app, flags, logging

from videobert_jax import config as config_lib
from videobert_jax.prepare import pipeline as prepare
from videobert_jax.training import final

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run.")


def main(argv: list[str]) -> None:
    """Prints the table. Raises on the first thing that is wrong, and so ends non-zero."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}")
    logging.set_verbosity(logging.WARNING)
    workdir = pathlib.Path(_WORKDIR.value or "")
    if not (workdir / "config.json").exists():
        raise app.UsageError(f"{workdir} is not the folder of a run: it has no config.json")
    config = config_lib.load(workdir / "config.json")
    final.judge(config, workdir, prepare.prepare(config))


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    app.run(main)
