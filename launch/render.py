"""Renders the applications corpus: videos with labels, captions, questions, moments and viewers, for every task.

    python launch/render.py --output=DIR

The same command resumes a stopped run. docs/applications_corpus.md says what is in it.
"""

import pathlib

from absl import flags

from videobert_jax import cli
from videobert_jax.errors import ConfigError
from videobert_jax.kitchen.applications.corpus import make_corpus
from videobert_jax.kitchen.applications.plan import Settings

_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to; new, empty, or of a stopped run.")
_SHORT = flags.DEFINE_integer("short", Settings.short, "Number of short videos.", 1)
_LONG = flags.DEFINE_integer("long", Settings.long, "Number of long videos.", 0)
_SEED = flags.DEFINE_integer("seed", Settings.seed, "Seed of everything that is drawn at random.", 0)
_WORKERS = flags.DEFINE_integer("workers", 0, "Processes; 0: one per core. The files do not depend on it.", 0)


def main(_: list[str]) -> None:
    """Renders the corpus and prints its folder."""
    if not _OUTPUT.value:
        raise ConfigError("--output is empty; expected the name of a folder")
    output = pathlib.Path(_OUTPUT.value)
    make_corpus(output, Settings(short=_SHORT.value, long=_LONG.value, seed=_SEED.value), _WORKERS.value)
    print(output)


if __name__ == "__main__":
    flags.mark_flag_as_required("output")
    cli.run(main)
