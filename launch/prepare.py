"""Prepares a folder of videos, without training: features, visual words, sentences, records.

    python launch/prepare.py --config=configs/base.py --config.data.videos=DIR

`launch/main.py` with the same config uses the result. The same command resumes a stopped run.

--beam runs an Apache Beam pipeline on this machine or, with the options of a Beam runner, on many; all must see the
folders of the videos and of the cache under the same paths. Beam needs older packages, and thus a separate environment
(`pip install -r requirements-beam.txt`):

    python launch/prepare.py --config=configs/base.py --config.data.videos=DIR --beam=
    python launch/prepare.py --config=configs/base.py --config.data.videos=DIR --config.data.cache=SHARED \\
        --beam='--runner=FlinkRunner --flink_master=HOST:8081 --environment_type=EXTERNAL ...'
"""

import functools
import shlex

from absl import flags
from ml_collections import config_flags

from videobert_jax import cli
from videobert_jax.errors import ConfigError
from videobert_jax.prepare import pipeline as prepare
from videobert_jax.prepare.rounds import Runner
from videobert_jax.training import starting_point

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/, with its argument.")
_BEAM = flags.DEFINE_string("beam", None, "Prepare with Apache Beam and these options; by default, without.")


def main(_: list[str]) -> None:
    """Prepares the data and prints its folder."""
    config = cli.config_of(_CONFIG)
    run = None if _BEAM.value is None else _beam(_BEAM.value, config.prepare.workers)
    print(prepare.prepare(config, run, starting_point.find(config)).folder)


def _beam(options: str, workers: int) -> Runner:
    try:
        from videobert_jax.prepare.beam import run_with_beam
    except ImportError as error:
        raise ConfigError(
            f"--beam needs Apache Beam ({error}), which needs older packages: create an environment for it, "
            "python -m venv .venv-beam && .venv-beam/bin/pip install -r requirements-beam.txt, and use its python"
        ) from error
    return functools.partial(run_with_beam, options=shlex.split(options), workers=workers)


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    cli.run(main)
