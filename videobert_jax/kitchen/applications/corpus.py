"""The applications corpus on disk: videos with subtitles, and what each task needs, in the field's formats."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path

from videobert_jax.errors import ConfigError
from videobert_jax.files import write_json, write_text
from videobert_jax.kitchen.applications import labels, moments, viewers
from videobert_jax.kitchen.applications.captions import annotation
from videobert_jax.kitchen.applications.longs import plan_longs
from videobert_jax.kitchen.applications.pictures import render
from videobert_jax.kitchen.applications.plan import Settings, Stream, Video
from videobert_jax.kitchen.applications.questions import ask
from videobert_jax.kitchen.applications.shorts import plan_shorts
from videobert_jax.kitchen.applications.speech import narrate
from videobert_jax.kitchen.commentary import to_vtt
from videobert_jax.kitchen.corpus import write_mp4
from videobert_jax.progress import progress
from videobert_jax.workers import WorkerDiedError, share_out

VERSION = 1  # of the pictures and the wording; increment it when either changes
LAST = "README.txt"  # its presence says that the corpus is complete

README = """\
The applications corpus: short and long cooking videos, rendered.

Every picture and every sentence in this folder was drawn and worded by the code of videobert_jax
(videobert_jax/kitchen/applications); nothing is taken from anywhere else. Licence: Apache-2.0, like the code.

short_*.mp4, long_*.mp4   H.264 video without sound
short_*.vtt, long_*.vtt   what is said; without cues if nothing is
annotations.json          YouCook2: five captions of every step
action.csv food.csv tool.csv scene.csv sentiment.csv unsafe.csv
                          Kinetics: label,youtube_id,time_start,time_end,split; a row for each label of a video. The
                          video is <youtube_id>.mp4, the times are seconds in it. unsafe.csv covers short and long
                          videos, and what has no row is safe; the others cover short videos
chapters.json             VidChapters: chapters of the long videos
summaries.json            {video: one paragraph} of the long videos
moments.jsonl             QVHighlights, and the split: queries about the long videos; clips of 2 s, three raters
training_q.json training_a.json, and those of validation and testing
                          ActivityNet-QA: questions about the short videos, and the answers
histories.csv             MicroLens, and the split: user,item,timestamp (ms); items are short videos
settings.json             the settings the folder was made with

The splits are training, validation and testing, by video; those of histories.csv are by time.
"""


def make_corpus(directory: Path, settings: Settings, workers: int) -> None:
    """Renders the corpus into `directory`; keeps the files that exist, so an interrupted run resumes.

    Every file is moved into place complete, README.txt last: if it exists, the corpus is complete. Each video depends
    only on `settings` and its index, never on the number of `workers` (processes; 0: one per core).

    Raises:
      ConfigError: the settings are impossible, or `directory` holds a corpus with other settings.
      RuntimeError: the process that renders a video was killed twice.
    """
    check(settings)
    directory.mkdir(parents=True, exist_ok=True)
    _claim(directory, settings)
    if (directory / LAST).exists():
        return
    shorts, longs = plan_shorts(settings), plan_longs(settings)
    videos = [*longs, *shorts]  # the long ones first, so that no process is left with one at the end
    missing = [place for place, video in enumerate(videos) if not (directory / f"{video.name}.mp4").exists()]
    done = share_out(functools.partial(make_video, directory, settings), missing, workers)
    for place, result in progress(done, len(missing), "applications corpus", "videos"):
        if isinstance(result, WorkerDiedError):
            raise RuntimeError(f"{videos[place].name} was not rendered: {result}; run again to resume") from result
    _write_tables(directory, settings, shorts, longs)
    write_text(directory / LAST, README)


def check(settings: Settings) -> None:
    """Raises ConfigError if a corpus with these settings cannot be made."""
    if settings.short < 1 or settings.long < 0 or settings.seed < 0:
        raise ConfigError(
            f"short is {settings.short}, long is {settings.long} and seed is {settings.seed}; "
            "expected at least one short video, and no negative number"
        )
    if settings.width % 2 or settings.height % 2 or min(settings.width, settings.height) < 32:
        raise ConfigError(
            f"frames have {settings.width}x{settings.height} pixels; expected even numbers of at least 32"
        )
    if not 60 <= settings.shortest <= settings.longest:
        raise ConfigError(
            f"long videos take {settings.shortest} to {settings.longest} s; expected 60 or more, ascending"
        )


def make_video(directory: Path, settings: Settings, place: int) -> None:
    """Writes the subtitles of one video, then its frames. Long videos come first in the numbering of `place`."""
    longs = plan_longs(settings)
    video = longs[place] if place < len(longs) else plan_shorts(settings)[place - len(longs)]
    write_text(directory / f"{video.name}.vtt", to_vtt(narrate(video), video.random(Stream.SUBTITLES)))
    size = (settings.width, settings.height)
    write_mp4(directory / f"{video.name}.mp4", render(video, settings), size, settings.fps)


def _write_tables(directory: Path, settings: Settings, shorts: Sequence[Video], longs: Sequence[Video]) -> None:
    write_json(directory / "annotations.json", {"database": {v.name: annotation(v) for v in (*shorts, *longs)}})
    for name, of_video in labels.SETS.items():
        covered = (*shorts, *longs) if name == "unsafe" else shorts
        write_text(directory / f"{name}.csv", labels.label_table(of_video, covered))
    write_json(directory / "chapters.json", {video.name: moments.chapters(video) for video in longs})
    write_json(directory / "summaries.json", {video.name: moments.summary(video) for video in longs})
    lines = [json.dumps(query) + "\n" for query in moments.queries(longs)]
    write_text(directory / "moments.jsonl", "".join(lines))
    _write_questions(directory, settings, shorts)
    views = viewers.watch(shorts, settings.viewers, settings.seed)
    write_text(directory / "histories.csv", labels.table(viewers.COLUMNS, views))


def _write_questions(directory: Path, settings: Settings, shorts: Sequence[Video]) -> None:
    for split, asked in ask(shorts, settings.seed).items():
        ids = [f"{split}_{number:05d}" for number in range(len(asked))]
        asks = [
            {"video_name": one.video, "question": one.question, "question_id": name}
            for name, one in zip(ids, asked, strict=True)
        ]
        answers = [
            {"answer": one.answer, "type": int(one.kind), "question_id": name}
            for name, one in zip(ids, asked, strict=True)
        ]
        write_text(directory / f"{split}_q.json", json.dumps(asks, indent=1) + "\n")
        write_text(directory / f"{split}_a.json", json.dumps(answers, indent=1) + "\n")


def _claim(directory: Path, settings: Settings) -> None:
    """Records the settings in the folder; refuses a folder with other settings, or other files."""
    wanted = {"version": VERSION, **dataclasses.asdict(settings)}
    path = directory / "settings.json"
    if path.exists():
        found = json.loads(path.read_text())
        if found != wanted:
            raise ConfigError(f"{directory} holds a corpus made with {found}, not {wanted}; choose or empty a folder")
        return
    if others := sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith(".")):
        raise ConfigError(f"{directory} holds {others[0]} and is no such corpus; name a new or empty folder")
    write_text(path, json.dumps(wanted, indent=1) + "\n")
