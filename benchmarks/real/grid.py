"""GRID: a speaking face, six words a sentence; what a model tells from the picture alone, all six words masked.

    python benchmarks/real/grid.py FOLDER                  the best settings, one seed
    python benchmarks/real/grid.py FOLDER --seeds=3        three seeds of them
    python benchmarks/real/grid.py FOLDER --ablations      the other settings as well
    python benchmarks/real/grid.py FOLDER --choose         to choose settings: 100 of the 800 are asked, 700 trained on

FOLDER is searched for `*.mpg` and `*.align`, GRID's videos and the times of their words. 800 sentences are trained on
and the others asked, by a fixed seed. Each word of the transcript is a sentence of its own, so training draws windows
of one to six words, each with the clips of its time; the question is about whole sentences, whose words' borders are
not told. Everything lies in --output, and a run that was interrupted goes on.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

import videobert_jax
from videobert_jax.data.prepared import VALIDATION, Prepared
from videobert_jax.data.segments import find_segments
from videobert_jax.files import read_json, write_json
from videobert_jax.inference import fill
from videobert_jax.inference.model import Model
from videobert_jax.prepare.scan import fingerprint
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir

ROOT = pathlib.Path(__file__).parents[2]
UNITS = 25_000  # of the times in `.align` files, a second
SILENCE = ("sil", "sp")
LONGEST = 59.0  # seconds of a video; GRID's have three
SLOTS = ("command", "colour", "preposition", "letter", "digit", "adverb")
TRAINED, CHOSEN_ON, SPLIT_SEED = 800, 100, 0
MOUTH = "0.2889,0.6111,0.5778,0.8889"  # of the frames of speaker 1: x 104-208 of 360, y 176-256 of 288

# Published or measured before, of the same question or easier ones: by slot, then the mean.
MARKS = {
    "guessing": (25, 25, 25, 4, 10, 25, 19),
    "k-means of raw grey volumes, a visual word a spoken word, borders told": (61, 57, 52, 17, 49, 72, 51),
    "ridge regression on EfficientNet's features, borders told": (94, 83, 69, 25, 78, 95, 74),
    "ridge regression on raw grey volumes, borders told": (92, 90, 80, 34, 81, 97, 79),
}

# What all runs share: clips of a fifth of a second that overlap, of the mouth alone; every word is a sentence, so that
# windows of one to six of them are drawn, each with the clips of its time; in joint sequences only the video can tell.
SETTINGS = {
    "prepare.fps": 25.0,
    "prepare.clip_frames": 5,
    "prepare.clip_step": 2,
    "prepare.crop": MOUTH,
    "prepare.backbone": "pixels",
    "prepare.image_size": 96,
    "prepare.distinguish": "motion",
    "prepare.feature_size": 128,
    "prepare.codebooks": 16,
    "prepare.max_sentence_words": 1,
    "data.max_sequences": 24,
    "task.mask_text": 1.0,
    "task.concatenate": 0.75,
    "task.text_only": 0.1,
    "task.video_only": 0.3,
    "task.misaligned": 0.1,
    "task.max_subsampling": 1,
    "task.max_predictions": 96,
    "task.mask_video": 0.0,
    "task.weights.video": 0.02,
    "task.weights.alignment": 0.1,
    "model.norm": "pre",
    "model.dropout": 0.15,
    "model.visual_rows": "centroids",
    "model.feature_noise": 0.4,
    "steps": 3000,
    "report.storyboards": 0,
}
BEST: dict[str, dict[str, Any]] = {
    "one visual word": {"steps": 1500},
    "several visual words": {"model.visual_input": "codes"},
    "words and features": {"model.visual_input": "both"},
}
ABLATIONS: dict[str, dict[str, Any]] = {
    "features alone": {"model.visual_input": "features"},
    "late fusion": {"model.visual_input": "both", "model.fusion": "late"},
    "cross-attention": {"model.visual_input": "both", "model.fusion": "cross"},
    "a sixth of the words masked": {"model.visual_input": "both", "task.mask_text": 0.0},
    "whole sentences only": {"model.visual_input": "both", "task.concatenate": 1.0},
}


class Spoken(NamedTuple):
    """A word and its seconds."""

    word: str
    start: float
    end: float


class Asked(NamedTuple):
    """What a trained model tells.

    Attributes:
      slots: per cent of words told right, by slot, then their mean.
      blind: the mean without video.
      use_of_video: nats a word.
      preparing, training: minutes; with questions and evaluation. Of an interrupted run, those since it went on.
    """

    slots: list[float]
    blind: float
    use_of_video: float
    preparing: float
    training: float


def main() -> None:
    """Prepares, trains, asks and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/grid"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--choose", action="store_true", help="leave the 200 alone, ask 100 of the 800")
    parser.add_argument("--only", help="one setting, by its name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a value of the config")
    arguments = parser.parse_args()
    changes = dict(text.partition("=")[::2] for text in arguments.set)
    settings = BEST | (ABLATIONS if arguments.ablations else {})
    if "seed" in changes:
        raise SystemExit(f"--set seed={changes['seed']} has no effect; --seeds=N runs seeds 0 to N - 1")
    if arguments.seeds < 1:
        raise SystemExit(f"--seeds={arguments.seeds}, expected at least 1")
    if arguments.only and arguments.only not in settings:
        raise SystemExit(f"--only={arguments.only} is not one of {', '.join(settings)}; --ablations adds further ones")
    output = arguments.output.absolute() / ("choose" if arguments.choose else "")
    collection = collect(arguments.folder, output / "collection", arguments.choose)
    table: dict[str, list[list[float]]] = {}
    for name, own in settings.items():
        if arguments.only in (None, name):
            asked = [run(name, own | changes | {"seed": seed}, collection, output) for seed in range(arguments.seeds)]
            table[name] = [one.slots for one in asked]
    print_row("", "", [*(slot[:5] for slot in SLOTS), "mean"])
    for name, rows in table.items():
        spread = f"+- {np.std([row[-1] for row in rows], ddof=1):.1f}" if len(rows) > 1 else ""
        print_row(name, spread, np.mean(rows, axis=0))
    for name, mark in MARKS.items():
        print_row(name, "", mark)


def collect(folder: pathlib.Path, target: pathlib.Path, choose: bool = False) -> pathlib.Path:
    """A folder with a link to each video, its transcript, and annotations with the split and whole sentences.

    To `choose` settings, the sentences that a result is asked about are left out, and the last of the others asked.
    """
    videos = {path.stem: path for path in sorted(folder.rglob("*.mpg"))}
    times = {path.stem: path for path in sorted(folder.rglob("*.align"))}
    names = sorted(videos.keys() & times.keys())
    if len(names) <= TRAINED:
        raise SystemExit(f"{folder} has {len(names)} pairs of *.mpg and *.align, expected more than {TRAINED}")
    names = np.random.default_rng(SPLIT_SEED).permutation(names)[: TRAINED if choose else None].tolist()
    trained = set(names[: TRAINED - CHOSEN_ON if choose else TRAINED])
    target.mkdir(parents=True, exist_ok=True)
    for link in target.glob("*.mpg"):
        if link.is_symlink() and link.stem not in names:  # of another folder
            link.unlink()
            link.with_suffix(".vtt").unlink(missing_ok=True)
    database = {}
    for name in sorted(names):
        spoken = read_align(times[name])
        video, said = target / f"{name}.mpg", target / f"{name}.vtt"
        if not (video.exists() and video.samefile(videos[name])):
            video.unlink(missing_ok=True)
            video.symlink_to(videos[name].absolute())
        cues = [f"{clock(one.start)} --> {clock(one.end)}\n{one.word}\n" for one in spoken]
        write_once(said, "\n".join(["WEBVTT\n", *cues]))
        sentence = {"segment": [spoken[0].start, spoken[-1].end], "sentence": " ".join(one.word for one in spoken)}
        subset = "training" if name in trained else "validation"
        database[name] = {"subset": subset, "annotations": [sentence]}
    write_once(target / "annotations.json", json.dumps({"database": database}))
    return target


def write_once(path: pathlib.Path, text: str) -> None:
    """Leaves a file as it is if it has this text: what is prepared depends on when files were changed."""
    if not (path.exists() and path.read_text() == text):
        path.write_text(text)


def read_align(path: pathlib.Path) -> list[Spoken]:
    """The words of a sentence, without silence. Ends this program if there are none."""
    lines = [line.split() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    try:
        spoken = [Spoken(word, int(a) / UNITS, int(b) / UNITS) for a, b, word in lines if word not in SILENCE]
        if wrong := [word for word, start, end in spoken if not 0 <= start < end <= LONGEST]:
            raise ValueError(f"the times of {wrong[0]!r} are out of order, or beyond {LONGEST} seconds")
    except ValueError as error:
        raise SystemExit(f"{path}: {error}; expected lines of start, end and word; mend or remove the file") from error
    if not spoken:
        raise SystemExit(f"{path} has no words; remove it")
    return spoken


def clock(seconds: float) -> str:
    """Seconds, at most LONGEST, as WebVTT writes them."""
    return f"00:00:{seconds:06.3f}"


def run(name: str, changes: Mapping[str, Any], collection: pathlib.Path, output: pathlib.Path) -> Asked:
    """Trains with these settings, asks, and prints a row; what was asked before is read."""
    workdir = Workdir(output / f"{name.replace(' ', '-')}-{changes['seed']}")
    values = {"data.videos": str(collection), "data.cache": str(output / "cache"), **SETTINGS, **changes}
    kept = workdir.folder / "asked.json"
    question = {"videos": fingerprint(sorted(collection.glob("*.mpg"))), **values}
    if not kept.exists() or read_json(kept, kept)["question"] != question:
        write_json(kept, {"question": question, "asked": train_and_ask(values, workdir)._asdict()})
    asked = Asked(**read_json(kept, kept)["asked"])
    print_row(name, f"seed {changes['seed']}", asked.slots)
    print(
        f"  without video {asked.blind:.1f}; use of video {asked.use_of_video:.2f} nats a word; "
        f"preparing {asked.preparing:.1f} min, training and asking {asked.training:.1f} min",
        flush=True,
    )
    return asked


def train_and_ask(values: Mapping[str, Any], workdir: Workdir) -> Asked:
    """Runs the commands that a user would, which go on where they were interrupted."""
    options = ["--config=configs/base.py", *(f"--config.{key}={value}" for key, value in values.items())]
    start = time.monotonic()
    command("prepare", *options)
    prepared = time.monotonic()
    command("main", *options, f"--workdir={workdir.folder}")
    model = videobert_jax.load(workdir.folder)
    own, blind = (100 * slots(model, workdir.prepared(), seen) for seen in (True, False))
    used = writers.summary(workdir.metrics).get("use_of_video/nats", math.nan)
    minutes = (prepared - start) / 60, (time.monotonic() - prepared) / 60
    return Asked([*own.tolist(), float(own.mean())], float(blind.mean()), used, *minutes)


def command(name: str, *options: str) -> None:
    """Runs a command of `launch/`, which goes on where it was interrupted. Ends this program if it fails."""
    done = subprocess.run([sys.executable, str(ROOT / "launch" / f"{name}.py"), *options], cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.returncode)


def slots(model: Model, prepared: Prepared, seen: bool) -> np.ndarray:
    """The share of held-out sentences whose word is told right, by slot: all six are masked."""
    segments = [one for one in find_segments(prepared.source(VALIDATION)) if len(one.caption.split()) == len(SLOTS)]
    question = np.full(len(SLOTS), model.tokens.mask, np.int32)
    truth = np.array([[model.words.id_of(word) for word in one.caption.split()] for one in segments])
    if seen:
        answers = fill.ask(model.fill_batch, question, segments, model.tokens, model.length).ids[:, :, 0]
    else:
        answers = fill.language_prior(model.fill_batch, question, model.tokens).ids[:, :, 0]
    return np.mean(np.asarray(answers) == truth, axis=0)


def print_row(name: str, note: str, values: Any) -> None:
    """A row of the table."""
    cells = (value if isinstance(value, str) else f"{value:.1f}" for value in values)
    print(f"{name:72} {note:8}", *(f"{cell:>5}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
