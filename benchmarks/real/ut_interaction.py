"""UT-Interaction: what two people do with each other, six actions; each sequence is held out in turn.

    python benchmarks/real/ut_interaction.py FOLDER                two sets of ten folds, one seed
    python benchmarks/real/ut_interaction.py FOLDER --seeds=3      three seeds of them
    python benchmarks/real/ut_interaction.py FOLDER --ablations    also without pretraining
    python benchmarks/real/ut_interaction.py FOLDER --folds=1      to try it: the first sequence of each set

FOLDER is searched for `INDEX_SEQUENCE_CLASS.avi`, the segments of UT-Interaction, in folders whose names end with
`set1` or `set2`. Each fold trains on nine sequences of a set, some 54 segments, and is asked about the tenth. Words of
clips, their features and the first parameters come from a run that has seen the other set without its labels; so
nothing that a fold is asked about has been seen in any form. Everything lies in --output, and a run that was
interrupted goes on.
"""

import argparse
import itertools
import math
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from videobert_jax.data.features import ClipFeatures
from videobert_jax.evaluation.linear_probe import ridge_scores
from videobert_jax.files import read_json, write_json
from videobert_jax.prepare.scan import digest, fingerprint
from videobert_jax.training.workdir import Workdir
from videobert_jax.visual_words.details import Details
from videobert_jax.visual_words.vocabulary import Vocabulary

ROOT = pathlib.Path(__file__).parents[2]
NAME = re.compile(r"(?P<index>\d+)_(?P<sequence>\d+)_(?P<label>[0-5])")  # class 6 is not of the data set
FOLDER_NAME = re.compile(r".*set(?P<set>[12])")
CLASSES = ("shake hands", "hug", "kick", "point", "punch", "push")
SETS = (1, 2)
LONGEST = 60.0  # seconds, more than any segment has
PARTS = (1, 2, 4)  # of equal length, that a segment is cut into
OF_PRETRAINING = "pretraining."  # before the keys of values that only the first run has

# Per cent of segments told right, leaving one sequence out: of set 1 and of set 2, where known.
MARKS: dict[str, tuple[float | None, float | None]] = {
    "guessing": (16.7, 16.7),
    "ridge regression on raw volumes, appearance": (52, 41),
    "ridge regression on raw volumes, motion": (73, 70),
    "published, the lowest of four": (85.0, None),
    "published, the highest of four": (93.3, None),
}

# Half a second of 15 frames, six times a second: a blow lasts for less than that.
SETTINGS = {
    "prepare.fps": 30.0,
    "prepare.clip_frames": 15,
    "prepare.clip_step": 5,
    "prepare.backbone": "efficientnet_lite0",
    "prepare.image_size": 128,
    "prepare.distinguish": "motion",
    "prepare.branching": 6,
    "prepare.depth": 2,
    "prepare.feature_size": 256,
    "model.norm": "pre",
    "model.visual_input": "features",
    "model.feature_noise": 0.4,
    "model.dropout": 0.2,
    "data.sequence_length": 192,
    "data.max_sequences": 4,
    "report.storyboards": 0,
}
# Nobody speaks: visual words are all that is predicted.
PRETRAINING = {
    "task.text_only": 0,
    "task.joint": 0,
    "task.video_only": 1,
    "task.video_only_tokens": 24,
    "task.max_subsampling": 2,
    "task.weights.text": 0,
    "task.weights.alignment": 0,
    "data.batch_size": 8,
    "steps": 100,
    "checkpoint.every": 100,
}
# The number of steps is fixed, and the last of them counts: no checkpoint is chosen by the sequence that is asked.
FINE_TUNING = {
    "task.classes": ";".join(CLASSES),
    "data.batch_size": 4,
    "steps": 150,
    "checkpoint.every": 150,
    "checkpoint.used": "newest",
    "checkpoint.metric": "",
    "checkpoint.best": "lowest",
    "evaluators.classification.every": 0,
}
BEST: dict[str, dict[str, Any]] = {"features": {}}
ABLATIONS: dict[str, dict[str, Any]] = {
    "without pretraining": {"pretraining.steps": 1, "optimizer.layer_decay": 1.0},
}


class Segment(NamedTuple):
    """A video of one action."""

    path: pathlib.Path
    set: int
    sequence: int
    label: int

    @property
    def name(self) -> str:
        """The name of its video in the folder of its set."""
        return f"set{self.set}-{self.path.stem}"


def main() -> None:
    """Prepares, trains, evaluates and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/ut_interaction"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, default=0, help="so many of each set; 0: all")
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--only", help="one setting, by its name")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a value of the config, or pretraining.KEY"
    )
    arguments = parser.parse_args()
    settings = BEST | (ABLATIONS if arguments.ablations else {})
    changes = dict(text.partition("=")[::2] for text in arguments.set)
    if "seed" in changes:
        raise SystemExit(f"--set seed={changes['seed']} has no effect; --seeds=N runs seeds 0 to N - 1")
    if arguments.seeds < 1 or arguments.folds < 0:
        raise SystemExit(f"--seeds={arguments.seeds} --folds={arguments.folds}, expected at least 1 and at least 0")
    if arguments.only and arguments.only not in settings:
        raise SystemExit(f"--only={arguments.only} is not one of {', '.join(settings)}; --ablations adds further ones")
    segments, output = find(arguments.folder), arguments.output.absolute()
    folds = {one: sequences(segments, one)[: arguments.folds or None] for one in SETS}
    for one in SETS:
        collect([segment for segment in segments if segment.set == one], output / f"set{one}")
    asked = {
        name: np.stack(
            [ask(own | changes | {"seed": seed}, segments, folds, output) for seed in range(arguments.seeds)]
        )
        for name, own in settings.items()
        if arguments.only in (None, name)
    }
    print(f"{'per cent of segments told right':72}", *(f"{f'set {one}':>12}" for one in SETS))
    for name, confusions in asked.items():
        print_asked(name, confusions)
    starts = {one: pretrained(changes | {"seed": 0}, one, output) for one in SETS}
    for name, counts in floors(segments, folds, starts).items():
        print_row(name, 100 * counts[:, 0] / counts[:, 1])
    for name, mark in MARKS.items():
        print_row(name, mark)


def find(folder: pathlib.Path) -> list[Segment]:
    """The segments below a folder, in order of set and index. Ends this program if there are not two whole sets."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder; name one with the segments of UT-Interaction in it")
    found: dict[tuple[int, int], Segment] = {}
    for path in sorted(folder.rglob("*.avi")):
        name, place = NAME.fullmatch(path.stem), FOLDER_NAME.fullmatch(path.parent.name)
        if name is None or place is None:
            continue
        segment = Segment(path, int(place["set"]), int(name["sequence"]), int(name["label"]))
        other = found.setdefault((segment.set, int(name["index"])), segment)
        if other != segment:
            raise SystemExit(f"{path} and {other.path} have one index in one set; name a folder with one of them")
    segments = [found[key] for key in sorted(found)]
    for one in SETS:
        held = {segment.label for segment in segments if segment.set == one}
        if len(sequences(segments, one)) < 2 or len(held) < len(CLASSES):
            raise SystemExit(
                f"{folder} has {sum(segment.set == one for segment in segments)} segments of set {one}, expected those "
                f"of {len(CLASSES)} classes in two sequences or more: .../set{one}/INDEX_SEQUENCE_CLASS.avi"
            )
    return segments


def sequences(segments: Sequence[Segment], one: int) -> list[int]:
    """The sequences of a set, in order."""
    return sorted({segment.sequence for segment in segments if segment.set == one})


def collect(segments: Sequence[Segment], target: pathlib.Path) -> None:
    """Fills a folder with a link to each video, and nothing else."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = {f"{segment.name}.avi": segment.path for segment in segments}
    for link in target.glob("*.avi"):
        if link.is_symlink() and not (link.name in wanted and link.exists() and link.samefile(wanted[link.name])):
            link.unlink()  # of another folder
    for name, path in wanted.items():
        if not (target / name).exists():
            (target / name).symlink_to(path.absolute())


def annotations(segments: Sequence[Segment], one: int, sequence: int) -> dict[str, Any]:
    """Labels of the segments of a set, a sequence of which is held out, in the format of ActivityNet Captions."""
    return {
        "database": {
            segment.name: {
                "subset": "validation" if segment.sequence == sequence else "training",
                "annotations": [{"segment": [0.0, LONGEST], "sentence": CLASSES[segment.label]}],
            }
            for segment in segments
            if segment.set == one
        }
    }


def ask(
    values: Mapping[str, Any], segments: Sequence[Segment], folds: Mapping[int, Sequence[int]], output: pathlib.Path
) -> np.ndarray:
    """Confusions [sets, true class, predicted class] of the segments of all folds."""
    confusions = np.zeros((len(SETS), len(CLASSES), len(CLASSES)), np.int64)
    for place, one in enumerate(SETS):
        start = pretrained(values, 3 - one, output)
        for sequence in folds[one]:
            truth, fold = annotations(segments, one, sequence), f"set{one}-sequence{sequence}"
            counts, minutes = fine_tuned(values, start, truth, fold, output)
            confusions[place] += counts
            so_far = f"{confusions[place].trace()} of {confusions[place].sum()}"
            print(f"  {fold}: {counts.trace()} of {counts.sum()} right, {minutes:.1f} min; {so_far} so far", flush=True)
    return confusions


def pretrained(values: Mapping[str, Any], one: int, output: pathlib.Path) -> Workdir:
    """A run that has seen the videos of a set, without labels."""
    shared = {key: value for key, value in values.items() if key.startswith(("prepare.", "model.", "seed"))}
    own = {key.removeprefix(OF_PRETRAINING): value for key, value in values.items() if key.startswith(OF_PRETRAINING)}
    places = {"data.videos": str(output / f"set{one}"), "data.cache": str(output / "cache")}
    whole = SETTINGS | PRETRAINING | places | shared | own
    return trained(f"pretrained-set{one}", "configs/base.py", whole, output)[0]


def fine_tuned(
    values: Mapping[str, Any], start: Workdir, truth: Mapping[str, Any], fold: str, output: pathlib.Path
) -> tuple[np.ndarray, float]:
    """Confusions [true class, predicted class] of the held-out sequence, and the minutes that the run took."""
    labels = output / f"{fold}.json"
    write_once(labels, truth)
    own = {key: value for key, value in values.items() if not key.startswith(OF_PRETRAINING)}
    places = {"data.videos": str(output / fold.partition("-")[0]), "data.cache": str(output / "cache")}
    whole = SETTINGS | FINE_TUNING | places | {"data.annotations": str(labels)} | own
    workdir, minutes = trained(fold, f"configs/classification.py:{start.folder}", whole, output)
    scores = workdir.evaluation("classification")
    return np.array(read_json(scores, scores)["confusions"]), minutes


def trained(name: str, config: str, values: Mapping[str, Any], output: pathlib.Path) -> tuple[Workdir, float]:
    """A finished run, and its minutes; if it was finished before, nothing runs."""
    videos = fingerprint(sorted(pathlib.Path(values["data.videos"]).glob("*.avi")))
    workdir = Workdir(output / f"{name}-{digest([config, videos, dict(values)])}")
    kept = workdir.folder / "minutes.json"
    if not kept.exists():
        start = time.monotonic()
        options = [f"--config={config}", *(f"--config.{key}={value}" for key, value in values.items())]
        with (output / "log.txt").open("a") as log:
            command = [sys.executable, str(ROOT / "launch/main.py"), *options, f"--workdir={workdir.folder}"]
            code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log).returncode
        if code:
            raise SystemExit(f"{' '.join(command)} ended with {code}; see {output / 'log.txt'}")
        write_json(kept, {"minutes": (time.monotonic() - start) / 60})
    return workdir, read_json(kept, kept)["minutes"]


def write_once(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Leaves a file as it is if it has this content: what is prepared depends on when files were changed."""
    if not (path.exists() and read_json(path, path) == content):
        write_json(path, content)


def floors(
    segments: Sequence[Segment], folds: Mapping[int, Sequence[int]], starts: Mapping[int, Workdir]
) -> dict[str, np.ndarray]:
    """Numbers of segments classified correctly, and of all, [sets, 2], by ridge regressions; see `ridge_scores`.

    Args:
      segments: all.
      folds: the sequences that are held out, by set.
      starts: the runs that have seen each set.
    """
    right = {name: np.zeros((len(SETS), 2), np.int64) for name in FLOORS}
    for place, one in enumerate(SETS):
        some = [segment for segment in segments if segment.set == one]
        whole = [ClipFeatures.load(starts[one].prepared().features(segment.name)).features for segment in some]
        lexicon = starts[3 - one].prepared()
        describe, vocabulary = Details.load(lexicon.details), Vocabulary.load(lexicon.tree)
        kept = [describe(clips, vocabulary.assign(clips)).features for clips in whole]
        labels = np.eye(len(CLASSES), dtype=bool)[[segment.label for segment in some]]
        for name, (shortened, summary) in FLOORS.items():
            inputs = np.stack([summary(clips.astype(np.float32)) for clips in (kept if shortened else whole)])
            for sequence in folds[one]:
                asked = np.array([segment.sequence == sequence for segment in some])
                scores = ridge_scores(inputs[~asked], labels[~asked], inputs[asked])
                right[name][place] += labels[asked, scores.argmax(axis=1)].sum(), asked.sum()
    return right


def pyramid(clips: np.ndarray, reduce: Callable[..., Any], parts: Sequence[int] = PARTS) -> np.ndarray:
    """Reduces the clips [n, D] of all of a segment, of its halves and of its quarters, to [7 * D]."""
    rows = []
    for count in parts:
        borders = np.linspace(0, len(clips), count + 1)
        for start, end in itertools.pairwise(borders):
            first = min(int(start), len(clips) - 1)
            rows.append(reduce(clips[first : max(math.ceil(end), first + 1)], axis=0))
    return np.concatenate(rows)


# A floor -> whether it reads features as records keep them, or whole; and what it reads of a segment's clips.
FLOORS: dict[str, tuple[bool, Callable[[np.ndarray], np.ndarray]]] = {
    "ridge regression: mean of the features": (False, lambda clips: pyramid(clips, np.mean, parts=(1,))),
    "ridge regression: mean of each part": (False, lambda clips: pyramid(clips, np.mean)),
    "ridge regression: maximum of each part": (False, lambda clips: pyramid(clips, np.max)),
    "ridge regression: mean of each part, features as records keep them": (True, lambda clips: pyramid(clips, np.mean)),
}


def print_asked(name: str, confusions: np.ndarray) -> None:
    """Prints a row and the confusions of a setting, int [seeds, sets, true class, predicted class]."""
    right = 100 * np.trace(confusions, axis1=2, axis2=3) / confusions.sum(axis=(2, 3))
    spread = right.std(axis=0, ddof=1) if len(right) > 1 else (None, None)
    print_row(name, right.mean(axis=0), spread)
    for place, one in enumerate(SETS):
        print(f"  set {one}, true by row".ljust(24), *(f"{label:>11}" for label in CLASSES))
        for label, row in zip(CLASSES, confusions[:, place].sum(axis=0), strict=True):
            print(f"    {label:20}", *(f"{count:11}" for count in row), flush=True)


def print_row(name: str, values: Iterable[float | None], spread: Iterable[float | None] = (None, None)) -> None:
    """A row of the table: per cent of each set."""
    cells = (
        ("" if value is None else f"{value:.1f}") + ("" if more is None else f" +- {more:.1f}")
        for value, more in zip(values, spread, strict=True)
    )
    print(f"{name:72}", *(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
