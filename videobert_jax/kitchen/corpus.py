"""The kitchen corpus on disk: mp4 files, a WebVTT file beside each, and annotations in YouCook2's schema."""

import dataclasses
import fractions
import functools
import json
from collections.abc import Iterable
from pathlib import Path

import av
from PIL import Image

from videobert_jax.config import KitchenConfig
from videobert_jax.files import whole, write_text
from videobert_jax.kitchen.commentary import narrate, to_vtt
from videobert_jax.kitchen.recipes import Stream, Video, plan_videos
from videobert_jax.kitchen.scene import render
from videobert_jax.progress import progress
from videobert_jax.workers import WorkerDiedError, share_out

VERSION = 1  # of the pictures and the wording; increment it when either changes
# The macroblock tree is off: with it, x264 (core 165) encodes frames below 128 pixels differently in every run.
ENCODER_OPTIONS = {"crf": "25", "preset": "veryfast", "threads": "1", "mbtree": "0"}

README = """\
The kitchen corpus: short instructional videos, rendered.

Every picture and every sentence in this folder was drawn and worded by the code of videobert_jax
(videobert_jax/kitchen); nothing is taken from anywhere else. Licence: Apache-2.0, like the code.

kitchen_*.mp4     H.264 video without sound
kitchen_*.vtt     what is said
annotations.json  the split and what is shown, in the schema of YouCook2
kitchen.json      the settings the folder was made with
"""


def make_corpus(directory: Path, config: KitchenConfig, workers: int) -> None:
    """Renders the corpus into `directory`; keeps the files that exist, so an interrupted run resumes.

    Every file is moved into place complete, `annotations.json` last: if it exists, the corpus is complete. Each video
    depends only on `config` and its index, never on the number of `workers` (processes; 0: one per core).

    Raises:
      ValueError: `directory` holds a corpus with other settings.
      RuntimeError: the process that renders a video was killed twice.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _claim(directory, config)
    if (directory / "annotations.json").exists():
        return
    videos = plan_videos(config)
    missing = [video.index for video in videos if not (directory / f"{video.name}.mp4").exists()]
    done = share_out(functools.partial(make_video, directory, config), missing, workers)
    for index, result in progress(done, len(missing), "kitchen corpus", "videos"):
        if isinstance(result, WorkerDiedError):
            raise RuntimeError(f"{videos[index].name} was not rendered: {result}; run again to resume") from result
    database = {video.name: annotation(video) for video in videos}
    write_text(directory / "annotations.json", json.dumps({"database": database}, indent=1) + "\n")


def make_video(directory: Path, config: KitchenConfig, index: int) -> None:
    """Writes the narration of one video, then its frames."""
    video = plan_videos(config)[index]
    write_text(directory / f"{video.name}.vtt", to_vtt(narrate(video), video.random(Stream.CAPTIONS)))
    write_mp4(directory / f"{video.name}.mp4", render(video, config), (config.width, config.height), config.fps)


def write_mp4(target: Path, pictures: Iterable[Image.Image], size: tuple[int, int], fps: float) -> None:
    """Encodes RGB pictures of `size` = (width, height), even numbers of pixels, as H.264 without sound."""
    rate = fractions.Fraction(fps).limit_denominator(1000)
    with whole(target) as part, av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options=ENCODER_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = round(fps * 5)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())


def annotation(video: Video) -> dict[str, object]:
    """Returns the entry of one video in YouCook2's `database`."""
    return {
        "duration": video.duration,
        "subset": video.subset,
        "recipe_type": "kitchen",
        "annotations": [
            {"id": number, "segment": [step.start, step.end], "sentence": step.caption}
            for number, step in enumerate(video.steps)
        ],
    }


def _claim(directory: Path, config: KitchenConfig) -> None:
    """Records the settings in the folder; refuses a folder with other settings."""
    settings = {"version": VERSION, **dataclasses.asdict(config)}
    path = directory / "kitchen.json"
    if path.exists():
        found = json.loads(path.read_text())
        if found != settings:
            raise ValueError(f"{directory} holds a corpus made with {found}, not {settings}; choose or empty a folder")
        return
    write_text(directory / "README.txt", README)
    write_text(path, json.dumps(settings, indent=1) + "\n")
