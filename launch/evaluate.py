"""Judges the newest checkpoint of a run again: the zero-shot table, `zero_shot.json` and the report.

python launch/evaluate.py --workdir=runs/base
"""

import pathlib

from absl import app, flags, logging

from videobert_jax import config as config_lib
from videobert_jax.training import final
from videobert_jax.training import workdir as run_folder

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run.")


def main(argv: list[str]) -> None:
    """Prints the table. Raises on the first thing that is wrong, and so ends non-zero."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}")
    logging.set_verbosity(logging.WARNING)
    workdir = pathlib.Path(_WORKDIR.value or "")
    try:
        prepared = run_folder.prepared_of(workdir)
    except FileNotFoundError as error:
        raise app.UsageError(str(error)) from error
    final.judge(config_lib.load(workdir / "config.json"), workdir, prepared)


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    app.run(main)
