"""Curves of labels and of pretraining: each application's metric by the share of both, pretrained and from scratch.

    python benchmarks/curves.py                     after `make applications`, whose corpus and pretraining it uses
    python benchmarks/curves.py --seeds=3 --only=action,sentiment

Labels: 1, 10 and 100 % of the training videos, but at least one of each class, the same for all variants. Pretraining:
10, 30 and 100 % of the steps, each a run of its own, then all labels. Everything lies in OUTPUT/curves, and the same
command resumes.
"""

import argparse
import csv
import io
import pathlib
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from videobert_jax.applications.measure import Plan
from videobert_jax.applications.runs import Run, run_all
from videobert_jax.applications.suite import SUITE, Application
from videobert_jax.applications.summary import details
from videobert_jax.config import load
from videobert_jax.files import write_text

ROOT = pathlib.Path(__file__).parents[1]
LABELS, PRETRAINING = (0.01, 0.1, 1.0), (0.1, 0.3, 1.0)  # shares
# Applications whose labels are one table. Not moderation, where a video without a label is safe.
NAMES = ("action", "food", "sentiment")
TRAINING = "training"


def main() -> None:
    """Runs what is missing and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/applications"))
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default=",".join(NAMES), help="names of applications, separated by commas")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - set(NAMES):
        raise SystemExit(f"--only={arguments.only}, expected some of {', '.join(NAMES)}; got {', '.join(unknown)}")
    if arguments.seeds < 1:
        raise SystemExit(f"--seeds={arguments.seeds}, expected at least 1")
    plan = Plan(ROOT, arguments.output.absolute(), arguments.cache.absolute(), seeds=arguments.seeds)
    if not (plan.pretrained / "config.json").is_file():
        raise SystemExit(f"{plan.pretrained} is not the folder of a run; run `make applications` first")
    suite = [one for one in SUITE if one.name in names]
    by_labels = {(one, share, variant): runs for one, share, variant, runs in _runs_by_labels(suite, plan)}
    run_all([run for runs in by_labels.values() for run in runs], ROOT)
    print("labels" + "".join(f"{share:>16.0%}" for share in LABELS))
    for one in suite:
        for variant in ("pretrained", "scratch"):
            shown = [figure(one, by_labels[one.name, share, variant]) for share in LABELS]
            print(f"{one.name}, {variant}: " + "  ".join(shown), flush=True)
    starts = {share: _pretraining(plan, share) for share in PRETRAINING}
    run_all(list(starts.values()), ROOT, together=False)
    by_start = {
        (one.name, share): _after_pretraining(plan, one, share, starts[share]) for one in suite for share in PRETRAINING
    }
    run_all([run for runs in by_start.values() for run in runs], ROOT)
    print("pretraining" + "".join(f"{share:>16.0%}" for share in PRETRAINING))
    for one in suite:
        print(f"{one.name}: " + "  ".join(figure(one, by_start[one.name, share]) for share in PRETRAINING), flush=True)


def _runs_by_labels(suite: Sequence[Application], plan: Plan) -> Iterable[tuple[str, float, str, list[Run]]]:
    for one in suite:
        table = pathlib.Path(plan.run(one, "pretrained", 0).values["task.labels"])
        for share in LABELS:
            for seed in range(plan.seeds):
                target = plan.output / "curves" / f"{one.name}-{share:g}-{seed}.csv"
                text, videos = reduced(table.read_text(), share, seed)
                print(f"{target.name}: labels of {videos:,} training videos")
                if not target.exists() or target.read_text() != text:
                    write_text(target, text)
            for variant in ("pretrained", "scratch"):
                runs = [_with_labels(plan, one, variant, share, seed) for seed in range(plan.seeds)]
                yield one.name, share, variant, runs


def _with_labels(plan: Plan, one: Application, variant: str, share: float, seed: int) -> Run:
    """A run of an application with a share of its labels."""
    run = plan.run(one, variant, seed)
    folder = plan.output / "curves"
    labels = {"task.labels": str(folder / f"{one.name}-{share:g}-{seed}.csv")}
    return Run(folder / f"{one.name}-{variant}-{share:g}-{seed}", run.config, {**run.values, **labels})


def _pretraining(plan: Plan, share: float) -> Run:
    """A run of pretraining with fewer steps; its learning rate falls to 0 within them."""
    whole = plan.pretraining()
    if share == 1.0:
        return whole
    steps = round(share * load(plan.pretrained / "config.json").steps)
    return Run(plan.output / "curves" / f"pretraining-{share:g}", whole.config, {**whole.values, "steps": str(steps)})


def _after_pretraining(plan: Plan, one: Application, share: float, start: Run) -> list[Run]:
    """The pretrained runs of an application, which start from a run of a share of the pretraining."""
    runs = plan.runs(one)["pretrained"]
    if share == 1.0:
        return runs
    config = f"{runs[0].config.partition(':')[0]}:{start.folder}"
    folder = plan.output / "curves"
    return [Run(folder / f"{one.name}-after-{share:g}-{seed}", config, run.values) for seed, run in enumerate(runs)]


def reduced(text: str, share: float, seed: int) -> tuple[str, int]:
    """A table of labels with those of a share of its training videos, and how many these are.

    Videos are drawn by the seed; those of a smaller share are among those of a larger one. Of each class, at least one
    video is kept. The labels of other splits stay.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    videos = sorted({row["youtube_id"] for row in rows if row["split"] == TRAINING})
    drawn = np.random.default_rng(seed).permutation(videos).tolist()
    place = {video: number for number, video in enumerate(drawn)}
    kept = set(drawn[: round(share * len(drawn))])
    for label in sorted({row["label"] for row in rows}):
        having = {row["youtube_id"] for row in rows if row["label"] == label and row["split"] == TRAINING}
        if having and not having & kept:
            kept.add(min(having, key=place.__getitem__))
    target = io.StringIO()
    writer = csv.DictWriter(target, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row["split"] != TRAINING or row["youtube_id"] in kept)
    return target.getvalue(), len(kept)


def figure(one: Application, runs: Sequence[Run]) -> str:
    """The mean over runs of an application's metric, per cent, with the deviation of several."""
    measure = one.measures[0]
    values = [100 * float(details(run.folder, measure.evaluator)[measure.metric]) for run in runs]
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"


if __name__ == "__main__":
    main()
