"""The effect of each kind of augmentation on a small task with few labels, each switch alone.

    python benchmarks/augmentation.py --start=runs/demo --videos=DIR --labels=FILE
    python benchmarks/augmentation.py --start=runs/demo --videos=DIR --labels=FILE --scratch --seeds=5
    python benchmarks/augmentation.py ... --steps=20 --seeds=1 --switches=flip,neighbours       to try it

`--labels` is a table like Kinetics' of whole videos in `--videos`, with a training and a validation split. A few of the
training videos, chosen by a fixed seed, are learnt from; all held-out ones are asked. A switch is compared with the
same seeds without it: words left out where words alone are read, everything else where clips alone are. Nothing is
chosen on the held-out videos, and every run takes as many steps. Finished runs are kept in --output
and not repeated.
"""

import argparse
import csv
import dataclasses
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import flags

import videobert_jax
from videobert_jax import config as config_lib
from videobert_jax import tasks
from videobert_jax.config import ClassificationConfig, ClassificationScoresConfig, Config
from videobert_jax.data.prepared import VALIDATION, Prepared
from videobert_jax.evaluation import classification
from videobert_jax.files import read_json, write_json
from videobert_jax.formats.annotations import SPLITS
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.prepare.scan import digest, fingerprint, scan
from videobert_jax.training import loop
from videobert_jax.training.workdir import Workdir

CHOICE_SEED = 0
Changes = Mapping[str, Mapping[str, Any]]  # of the config, by section
# Changes of `prepare`, by switch; measured on models that read clips alone.
VIEWS: dict[str, dict[str, Any]] = {
    "crop": {"view_crop": 0.2},
    "scale": {"view_scale": 1.25},
    "rotation": {"view_rotation": 10.0},
    "flip": {"view_flip": True},
    "colour": {"view_colour": 0.3},
    "speed": {"view_speed": 1.3},
}
VIEWS["all views"] = {key: value for one in VIEWS.values() for key, value in one.items()}
# Inputs of the models that a switch is measured on, and its changes of `data`.
ROWS = {
    "neighbours": ("video", {"neighbours": 0.2}),
    "drop clips": ("video", {"drop_clips": 0.2}),
    "drop words": ("words", {"drop_words": 0.2}),
}


def main() -> None:
    """Trains what is missing and prints the table."""
    names = [*VIEWS, *ROWS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=pathlib.Path, default=pathlib.Path("runs/demo"), help="a pretrained workdir")
    parser.add_argument("--videos", type=pathlib.Path, required=True)
    parser.add_argument("--labels", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/augmentation"))
    parser.add_argument("--trained", type=int, default=6, help="training videos")
    parser.add_argument("--views", type=int, default=3, help="of each, for the switches that make some")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scratch", action="store_true", help="start from random parameters, with the same words")
    parser.add_argument("--switches", default=",".join(names), help="those to measure, separated by commas")
    options = parser.parse_args()
    if unknown := set(options.switches.split(",")) - set(names):
        raise SystemExit(f"--switches has {sorted(unknown)}, expected some of {', '.join(names)}")
    flags.FLAGS.mark_as_parsed()  # which Grain reads

    collection = collect(options)
    print(f"{'switch':12} {'reads':6} {'without':>14} {'with':>14} {'difference':>16}   macro F1 in per cent, +- s.d.")
    for name in options.switches.split(","):
        inputs, changes = changes_of(name, options.views)
        plain, changed = (
            np.array([100 * score(options, collection, inputs, each, seed) for seed in range(options.seeds)])
            for each in ({}, changes)
        )
        cells = [mean_and_deviation(each) for each in (plain, changed, changed - plain)]
        print(f"{name:12} {inputs:6} {cells[0]:>14} {cells[1]:>14} {cells[2]:>16}", flush=True)


def mean_and_deviation(values: np.ndarray) -> str:
    """The mean over seeds, and the standard deviation of several."""
    return f"{values.mean():.1f}" + (f" +- {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def changes_of(switch: str, views: int) -> tuple[str, Changes]:
    """The inputs that a switch is measured on, and its changes of the config."""
    if switch in VIEWS:
        return "video", {"prepare": {"views": views, **VIEWS[switch]}}
    inputs, changes = ROWS[switch]
    return inputs, {"data": changes}


def collect(options: argparse.Namespace) -> pathlib.Path:
    """A folder with links to the videos that are used and to what is said in them, and their labels."""
    target = options.output / f"videos-{options.trained}"
    sources = {source.video_id: source for source in scan(options.videos).sources}
    with options.labels.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["youtube_id"] in sources]
    names = {
        split: sorted({r["youtube_id"] for r in rows if SPLITS.get(r["split"]) == split}) for split in SPLITS.values()
    }
    if len(names["train"]) < options.trained or not names["validation"]:
        raise SystemExit(f"{options.labels} labels {len(names['train'])} training videos, expected {options.trained}")
    chosen = np.random.default_rng(CHOICE_SEED).permutation(names["train"])[: options.trained].tolist()
    used = {*chosen, *names["validation"]}
    target.mkdir(parents=True, exist_ok=True)
    for name in used:
        for path in (sources[name].video, sources[name].transcript):
            link = target / path.name if path else target
            if path and not link.exists():
                link.symlink_to(path.absolute())
    labels = target / "labels.csv"
    if not labels.exists():
        with labels.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(row for row in rows if row["youtube_id"] in used)
    return target


def score(
    options: argparse.Namespace,
    collection: pathlib.Path,
    inputs: str,
    changes: Changes,
    seed: int,
) -> float:
    """The macro F1 of a run on all validation videos; read from its folder if it was finished before."""
    config = config_of(options, collection, inputs, changes, seed)
    question = [options.scratch, fingerprint(sorted(collection.iterdir())), config_lib.to_json(config)]
    workdir = Workdir(options.output / "runs" / digest(question))
    kept = workdir.folder / "score.json"
    if not kept.exists():
        start = time.monotonic()
        found = train_and_score(config, workdir, options.start, options.scratch)
        write_json(kept, {"changes": changes, "seed": seed, "score": found, "seconds": time.monotonic() - start})
    return float(read_json(kept, kept)["score"])


def config_of(
    options: argparse.Namespace,
    collection: pathlib.Path,
    inputs: str,
    changes: Changes,
    seed: int,
) -> Config:
    """The config of a run, with short sequences and small batches, since labels are few."""
    section = ClassificationConfig(inputs=inputs)
    config = config_lib.fine_tuned(str(options.start), section, {"classification": ClassificationScoresConfig()})
    places = {"videos": str(collection), "annotations": str(collection / "labels.csv"), "transcripts": ""}
    sizes = {"cache": str(options.output / "cache"), "batch_size": 8, "sequence_length": 128, "max_sequences": 4}
    sections: dict[str, dict[str, Any]] = {
        "data": {**places, **sizes, **changes.get("data", {})},
        "prepare": {**changes.get("prepare", {})},
        "optimizer": {"learning_rate": 5e-4, "warmup_steps": min(20, options.steps)},
        "checkpoint": {"every": options.steps, "keep": 1},
    }
    changed = {name: dataclasses.replace(getattr(config, name), **values) for name, values in sections.items()}
    return dataclasses.replace(config, steps=options.steps, seed=seed, log_every=options.steps, **changed)


def train_and_score(config: Config, workdir: Workdir, start: pathlib.Path, scratch: bool) -> float:
    """Prepares with the words of the run in `start`, trains, and returns the macro F1 on the validation split."""
    prepared: Prepared = prepare(config, given=Workdir(start))
    config = tasks.complete(dataclasses.replace(config, init_from="") if scratch else config, prepared)
    loop.train(config, tasks.make_task(config, prepared.tokens()), {}, workdir, prepared)
    model = videobert_jax.load(workdir.folder)
    result = classification.evaluate(model, prepared, ClassificationScoresConfig(), VALIDATION)
    return result.metrics["macro_f1"]


if __name__ == "__main__":
    main()
