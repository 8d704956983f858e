"""Prepares a folder of videos, without training: features, visual words, sentences, records.

    python launch/prepare.py --config=configs/base.py --config.data.videos=DIR

`launch/main.py` with the same config finds it done. A run that was stopped goes on with the same command.
"""

from absl import app, flags
from ml_collections import config_flags

from videobert_jax import config as config_lib
from videobert_jax.prepare import pipeline as prepare

_CONFIG = config_flags.DEFINE_config_file("config", None, "What the run is: a file of configs/, with its argument.")


def main(argv: list[str]) -> None:
    """Prints the folder of prepared data. Raises on the first thing that is wrong, and so ends non-zero."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}; overrides are written --config.key=value")
    try:
        print(prepare.prepare(config_lib.from_config_dict(_CONFIG.value)))
    except prepare.PrepareError as error:
        raise app.UsageError(str(error)) from error


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main)
