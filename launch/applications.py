"""Trains and measures all applications on the rendered applications corpus, each beside its baselines.

    python launch/applications.py [--seeds=3] [--only=sentiment,answering]

Renders and prepares the corpus, pretrains on it, fine-tunes for every task (pretrained, from scratch, on words alone,
on video alone), one run on each core. Results lie in --output: `summary.json`, a row for each application; the page
`index.html`; and each run with its report. The same command resumes. docs/results.md gets the table, unless only
a part is measured.
"""

import pathlib

from absl import flags, logging

from videobert_jax import cli
from videobert_jax.errors import ConfigError

_OUTPUT = flags.DEFINE_string("output", "runs/applications", "Folder of the runs and the results.")
_CACHE = flags.DEFINE_string("cache", "cache", "Folder of the corpus and of what is prepared of it.")
_SEEDS = flags.DEFINE_integer("seeds", 1, "Seeds of the runs from the pretrained model and from scratch.", 1)
_ONLY = flags.DEFINE_list("only", [], "Names of runs, such as sentiment,answering; by default all.")
_SHORT = flags.DEFINE_integer("short", 1000, "Number of short videos of the corpus.", 1)
_LONG = flags.DEFINE_integer("long", 24, "Number of long videos of the corpus.", 3)
_STEPS = flags.DEFINE_integer("steps", 0, "Steps of every run, to try things quickly; 0: those of its config.", 0)
_DOCS = flags.DEFINE_string("docs", "docs/results.md", 'File that gets the table; "": none.')

ROOT = pathlib.Path(__file__).parents[1]


def main(_: list[str]) -> None:
    """Measures the applications and prints the table."""
    logging.set_verbosity(logging.WARNING)
    from videobert_jax.applications import measure
    from videobert_jax.applications.suite import SUITE

    if unknown := set(_ONLY.value) - {one.name for one in SUITE}:
        raise ConfigError(
            f"--only has {', '.join(sorted(unknown))}, expected some of {', '.join(one.name for one in SUITE)}"
        )
    chosen = [one for one in SUITE if not _ONLY.value or one.name in _ONLY.value]
    plan = measure.Plan(
        root=ROOT,
        output=pathlib.Path(_OUTPUT.value).absolute(),
        cache=pathlib.Path(_CACHE.value).absolute(),
        corpus=(_SHORT.value, _LONG.value),
        seeds=_SEEDS.value,
        steps=_STEPS.value,
    )
    whole = not _ONLY.value and not _STEPS.value
    print(measure.measure(chosen, plan, ROOT / _DOCS.value if _DOCS.value and whole else None))


if __name__ == "__main__":
    cli.run(main)
