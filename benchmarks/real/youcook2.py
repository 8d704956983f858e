"""Zero-shot verbs and objects of YouCook2, by the paper's protocol and beside its marks (VideoBERT, section 4.4).

    python benchmarks/real/youcook2.py FOLDER

FOLDER is searched for the annotations, in one of the two forms that people have them in: the data set's own
`youcookii_annotations_trainval.json`, or a file per split as of ActivityNet Captions, such as recurrent-transformer's
`yc2_train_anet_format.json` and `yc2_val_anet_format.json`. Videos, and subtitles beside them, may lie anywhere in it.

Without videos only the words are measured: a model reads the training captions as if they were spoken, nothing else,
and is asked for the verb and the object of every held-out caption without seeing anything, so that it can give but one
answer. The paper's language prior learnt from recognised speech instead, which is not published. So the rows differ in
what was read, and ours has the better of it: the words that are asked for are words of such captions.

With videos, `configs/base.py` is prepared, trained and asked too. What is spoken is what the subtitles say; if there
are none, the captions take their place, and what is learnt from the training videos is then supervised.

Every run goes on where it was stopped, with the same command. It takes the extra `[tagger]`.
"""

import collections
import dataclasses
import itertools
import json
import math
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from absl import app, flags, logging

from videobert_jax.config import ZeroShotConfig
from videobert_jax.data.prepared import TRAIN, VALIDATION
from videobert_jax.errors import PrepareError, UserError
from videobert_jax.evaluation.caption_words import find_reader
from videobert_jax.evaluation.report.terminal import NOT_MEASURED
from videobert_jax.evaluation.zero_shot import BLANKS, SCORES, judge, questions
from videobert_jax.files import whole, write_json
from videobert_jax.formats.annotations import Annotation
from videobert_jax.formats.captions import is_activitynet, is_youcook2
from videobert_jax.formats.files import read_json
from videobert_jax.formats.recognise import annotation_files, read_annotations
from videobert_jax.inference.fill import TOP, Fillings
from videobert_jax.inference.model import load
from videobert_jax.prepare.scan import Source, scan
from videobert_jax.training.workdir import Workdir

OUT = flags.DEFINE_string("out", "runs/youcook2", "Folder of the runs, and of what they read.")
SET = flags.DEFINE_multi_string("set", [], "KEY=VALUE of the config, for every run; may be repeated.")

ROOT = pathlib.Path(__file__).parents[2]
OPENING = "now let me show you how to "
ASKED = ZeroShotConfig(template=f"{OPENING}[MASK] the [MASK].", verbs=45, objects=100, nouns=True)

# The paper's figures for YouCook II in per cent, by the names in `SCORES`.
MARKS = {
    "S3D, supervised": (16.1, 46.9, 13.2, 30.9),
    "BERT, language prior": (0.0, 0.0, 0.0, 0.0),
    "VideoBERT, language prior": (0.4, 6.9, 7.7, 15.3),
    "VideoBERT, with video": (3.2, 43.3, 13.1, 33.7),
}
# Words alone, on two cores in minutes: a sequence is a caption or some neighbours, and there is one blank visual word.
WORDS = {
    "prepare.backbone": "precomputed",
    "prepare.fps": 1.0,
    "prepare.clip_frames": 1,
    "prepare.depth": 1,
    "model.visual_rows": "random",
    "task.text_only": 1.0,
    "task.video_only": 0.0,
    "task.joint": 0.0,
    "steps": 300,
    "checkpoint.every": 100,
    "evaluators.held_out.every": 100,
    "report.storyboards": 0,
}
VIDEO = {"prepare.fps": 20.0, "prepare.clip_frames": 30}  # clips of 1.5 s, as in the paper

Annotations = Mapping[str, Annotation]
Row = tuple[str, Sequence[float | None]]  # a name, and per cents in the order of `SCORES`


def find_annotations(folder: pathlib.Path) -> pathlib.Path:
    """The data set's own file if there is one, else the folder of those in ActivityNet's form. Raises PrepareError."""
    split_apart = []
    for path in sorted(folder.rglob("*.json")):
        content = read_json(path)
        if is_youcook2(content):
            return path
        split_apart += [path.parent] if is_activitynet(content) else []
    if not split_apart:
        raise PrepareError(
            f"{folder} holds no annotations of YouCook2, expected youcookii_annotations_trainval.json or such files as "
            "yc2_train_anet_format.json in it; docs/datasets/youcook2.md says where to get them"
        )
    return split_apart[0]


def read(path: pathlib.Path) -> Annotations:
    """The videos of `find_annotations` that are trained on or held out. Raises PrepareError unless there are both."""
    names = set(_named(path))
    known = {name for name in names if not (name.startswith("v_") and name[2:] in names)}  # one video, two forms
    annotations = {name: found for name, found in read_annotations(path, known)[0].items() if found.captions}
    for split in (TRAIN, VALIDATION):
        if not captions(annotations, split):
            raise PrepareError(f"{path} has no captions of the split {split!r}, expected both; add the file with them")
    return annotations


def _named(path: pathlib.Path) -> Iterator[str]:
    for file in annotation_files(path):
        content = read_json(file) if file.suffix.lower() == ".json" else {}
        if is_youcook2(content) or is_activitynet(content):
            yield from (name for name in content.get("database", content) if pathlib.PurePath(name).name == name)


def captions(annotations: Annotations, split: str) -> list[str]:
    """The captions of a split."""
    return [caption.text for found in annotations.values() if found.split == split for caption in found.captions]


def write_blank(folder: pathlib.Path, annotations: Annotations) -> None:
    """Writes videos on which there is nothing to see: a file of zeros each, a row per second. Keeps what is there."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole(folder) as part:
        part.mkdir()
        for name, found in annotations.items():
            seconds = math.ceil(max(caption.end for caption in found.captions))
            np.save(part / f"{name}.npy", np.zeros((seconds, 1), np.float32))


def write_spoken(path: pathlib.Path, annotations: Annotations, opened: int = 0) -> None:
    """Writes the captions as transcripts in the form of HowTo100M's, a sentence each. Keeps what is there.

    Args:
      path: the file.
      annotations: those held out too: their records measure how well the model reads, and are not trained on.
      opened: every so many captions, one begins with the words of the template; 0: none.
    """
    if path.exists():
        return
    numbers, spoken = itertools.count(1), {}
    for name, found in annotations.items():
        openings = [OPENING if opened and next(numbers) % opened == 0 else "" for _ in found.captions]
        spoken[name] = {
            "start": [caption.start for caption in found.captions],
            "end": [caption.end for caption in found.captions],
            "text": [o + c.text.rstrip(". ") + "." for o, c in zip(openings, found.captions, strict=True)],
        }
    write_json(path, spoken)


def trivial(annotations: Annotations) -> dict[str, Any]:
    """What `judge` says of always answering with the commonest words of the training captions."""
    held_out = captions(annotations, VALIDATION)
    numbers: collections.defaultdict[str, int] = collections.defaultdict(itertools.count().__next__)
    reader = find_reader(ASKED.nouns)
    usual = questions(captions(annotations, TRAIN), numbers.__getitem__, reader, ASKED)
    asked = questions(held_out, numbers.__getitem__, reader, ASKED)
    ids = np.full((1, len(BLANKS), TOP), -1)
    for row, blank in zip(ids[0], BLANKS, strict=True):
        best = list(usual[blank].labels.ids.values())[:TOP]
        row[: len(best)] = best
    prior = Fillings(jnp.asarray(ids), jnp.zeros(ids.shape))
    answers = Fillings(*(jnp.repeat(values, len(held_out), axis=0) for values in prior))
    return judge(answers, prior, asked, np.zeros(len(held_out), bool), ASKED.template)


@dataclasses.dataclass(frozen=True)
class Runs:
    """The runs of the benchmark.

    Attributes:
      out: the folder of them and of what they read, absolute.
      truth: the annotations, absolute.
      chosen: values of the config that take the place of the benchmark's own.
    """

    out: pathlib.Path
    truth: pathlib.Path
    chosen: Mapping[str, str]

    def train(self, name: str, videos: pathlib.Path, values: Mapping[str, Any]) -> dict[str, Any]:
        """Runs `launch/main.py`, prints what the model answers without video, and returns its `zero_shot.json`."""
        section = {f"evaluators.zero_shot.{key}": value for key, value in dataclasses.asdict(ASKED).items()}
        places = {"data.videos": videos, "data.annotations": self.truth, "data.cache": self.out / "cache"}
        settings = {**section, **places, **values, **self.chosen}
        command = [sys.executable, "launch/main.py", "--config=configs/base.py", f"--workdir={self.out / name}"]
        command += [f"--config.{key}={value}" for key, value in settings.items()]
        print(f"\n{name}: {shlex.join(command)}", flush=True)
        if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
            sys.exit(code)
        for blank, guesses in zip(BLANKS, load(self.out / name).fill(ASKED.template), strict=True):
            print(f"{name}, {blank} without video: {', '.join(f'{g.word} {g.probability:.2f}' for g in guesses)}")
        found: dict[str, Any] = json.loads(Workdir(self.out / name).evaluation("zero_shot").read_text())
        return found


def row(name: str, details: Mapping[str, Any], key: str) -> Row:
    """One of the accuracies of `zero_shot.score` in per cent; None where there was nothing to judge by."""
    values = (details[score][key] for score in SCORES)
    return name, [None if value is None else 100 * value for value in values]


def words_alone(runs: Runs, annotations: Annotations) -> Iterator[Row]:
    """Trains on captions alone: as they are, and with every second one opened as the question is."""
    blank = runs.out / "blank"
    write_blank(blank, annotations)
    for name, opened, how in (("captions", 0, "as they are"), ("opened", 2, "every second opened by the template")):
        spoken = runs.out / f"{name}.json"
        write_spoken(spoken, annotations, opened)
        details = runs.train(name, blank, {**WORDS, "data.transcripts": spoken})
        yield row(f"ours, words only, trained on the captions, {how}", details, "language_prior")


def with_video(runs: Runs, folder: pathlib.Path, sources: Sequence[Source]) -> Iterator[Row]:
    """Prepares and trains on the videos, and asks with and without them."""
    spoken = any(source.transcript for source in sources)
    transcripts = {} if spoken else {"data.transcripts": runs.out / "captions.json"}
    details = runs.train("video", folder, {**VIDEO, **transcripts})
    ours = f"ours, {len(sources):,} videos and {'subtitles' if spoken else 'captions in place of speech'}"
    yield row(f"{ours}, asked without video", details, "language_prior")
    yield row(f"{ours}, with video", details, "cross_modal")


def find_videos(folder: pathlib.Path, annotations: Annotations) -> list[Source]:
    """The annotated videos in a folder, often none."""
    try:
        found = scan(folder).sources
    except FileNotFoundError:
        return []
    return [source for source in found if source.video_id in annotations]


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    lines = [
        f"| per cent | {' | '.join(name.replace('_', ' ') for name in SCORES)} |",
        "|---" * (1 + len(SCORES)) + "|",
    ]
    for name, values in rows:
        lines.append(
            f"| {name} | {' | '.join(NOT_MEASURED if value is None else f'{value:.1f}' for value in values)} |"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measures the folder on the command line."""
    logging.set_verbosity(logging.WARNING)
    if len(arguments) != 2:
        sys.exit(f"the arguments are {arguments[1:]}, expected one FOLDER, with YouCook2's annotations in it")
    chosen = dict(entry.partition("=")[::2] for entry in SET.value)
    try:
        measure(pathlib.Path(arguments[1]).expanduser().absolute(), pathlib.Path(OUT.value).absolute(), chosen)
    except UserError as error:
        sys.exit(f"{arguments[0]}: {error}")


def measure(folder: pathlib.Path, out: pathlib.Path, chosen: Mapping[str, str]) -> None:
    """Trains on an absolute folder, and prints the table; see `Runs`. Raises UserError for what the user can fix."""
    truth = find_annotations(folder)
    annotations, runs = read(truth), Runs(out, truth, chosen)
    counts = {split: len(captions(annotations, split)) for split in (TRAIN, VALIDATION)}
    print(
        f"{truth}: {len(annotations):,} videos, {counts[TRAIN]:,} captions to train on, {counts[VALIDATION]:,} held out"
    )
    usual = trivial(annotations)
    rows: list[Row] = [(f"the paper: {name}", values) for name, values in MARKS.items()]
    rows += [row("guessing among the labels", usual, "chance")]
    rows += [row("the commonest words of the training captions", usual, "language_prior")]
    rows += words_alone(runs, annotations)
    if sources := find_videos(folder, annotations):
        rows += with_video(runs, folder, sources)
    else:
        print(f"\n{folder} holds no video that is annotated: the words alone were measured")
    asked = " and ".join(f"{usual[f'{blank}_labels']['segments']:,} for the {blank}" for blank in BLANKS)
    print(f"\nof {counts[VALIDATION]:,} held-out captions, {asked} have one of the words that are asked for\n")
    print(table(rows))


if __name__ == "__main__":
    app.run(main)
