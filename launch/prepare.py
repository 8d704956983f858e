"""Prepares a folder of videos, without training: features, visual words, sentences, records.

    python launch/prepare.py --config=configs/base.py --config.data.videos=DIR

`launch/main.py` with the same config finds it done. A run that was stopped goes on with the same command.
"""

from absl import flags
from ml_collections import config_flags

from videobert_jax import door
from videobert_jax.prepare import pipeline as prepare

_CONFIG = config_flags.DEFINE_config_file("config", None, "What the run is: a file of configs/, with its argument.")


def main(_: list[str]) -> None:
    """Prints the folder of prepared data. Raises on the first thing that is wrong, and so ends non-zero."""
    print(prepare.prepare(door.config_of(_CONFIG)))


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    door.run(main)
