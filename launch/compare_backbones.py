"""Compares backbones on a sample of your videos: what each costs, and what features and visual words keep.

    python launch/compare_backbones.py --videos=DIR --backbones=efficientnet_lite0,resnet50:resnet50-11ad3fa6.pth

Each video needs a transcript beside it, for the test is which words are said around a clip. A backbone is written
NAME[@PIXELS][:WEIGHTS]; without PIXELS, frames have the size that its network was trained on. docs/backbones.md lists
the backbones and explains the table.
"""

import pathlib
import platform

from absl import flags, logging

from videobert_jax import cli
from videobert_jax.errors import ConfigError

_VIDEOS = flags.DEFINE_string("videos", None, "Folder of videos with transcripts.")
_BACKBONES = flags.DEFINE_string("backbones", None, "NAME[@PIXELS][:WEIGHTS],...; others are compared with the first.")
_COUNT = flags.DEFINE_integer("num_videos", 24, "Number of videos to draw; a third of them is judged on.", 3)
_CLIPS = flags.DEFINE_integer("clips_per_video", 100, "Clips of each video, from its start, at most.", 1)
_SECONDS = flags.DEFINE_float("clip_seconds", 1.5, "Length of a clip.", 0.05, 600)
_BRANCHING = flags.DEFINE_integer("branching", 12, "k of the hierarchical k-means.", 2, 65_536)
_DEPTH = flags.DEFINE_integer(
    "depth", 2, "d of the hierarchical k-means: a sample has few clips for k ** d words.", 1, 16
)


def main(_: list[str]) -> None:
    """Prints the table."""
    logging.set_verbosity(logging.WARNING)
    if not _VIDEOS.value or not _BACKBONES.value:
        raise ConfigError("--videos or --backbones is empty; expected a folder, and the names of backbones")

    # Imported late, so that an invalid command line is reported without waiting for JAX.
    from videobert_jax.evaluation import backbone_comparison as comparison

    chosen = comparison.candidates(_BACKBONES.value, _SECONDS.value)
    sources = comparison.sample(pathlib.Path(_VIDEOS.value), _COUNT.value)
    result = comparison.compare(chosen, sources, _SECONDS.value, _CLIPS.value, (_BRANCHING.value, _DEPTH.value))
    print("\n".join(comparison.lines(result, _machine())))


def _machine() -> str:
    """The name of the processor, where the system tells it."""
    cpus = pathlib.Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


if __name__ == "__main__":
    flags.mark_flags_as_required(["videos", "backbones"])
    cli.run(main)
