"""Judges videos by a policy: which to let through, which to review, and which seconds to cut or to blur.

    python launch/moderate.py --workdir=runs/moderation --policy=policy.json --video=clip.mp4 \\
        [--video=FOLDER ...] [--output=verdicts.jsonl]

Writes one line of JSON a video, to the output or to the screen; docs/moderation.md says what is in it. A video that
cannot be judged has a line with its error, and the others are judged. The same command resumes a stopped one: lines of
the output stay while video, transcript, policy and model are as they were.

The exit code is 0 if all videos are allowed, 3 if any is not, 1 if any could not be judged, and 2 for a wrong command,
policy or workdir.
"""

import collections
import pathlib
import sys

from absl import flags, logging

from videobert_jax import cli
from videobert_jax.errors import ConfigError
from videobert_jax.inference import verdicts
from videobert_jax.inference.model import load
from videobert_jax.inference.policy import ALLOW, read_policy

NOT_JUDGED, NOT_ALLOWED = 1, 3
FAILED = "could not be judged"

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run for classification.")
_POLICY = flags.DEFINE_string("policy", None, "File of rules.")
_VIDEO = flags.DEFINE_multi_string("video", [], "A video, or a folder of videos; may be repeated.")
_OUTPUT = flags.DEFINE_string("output", "", "File of verdicts, to which a later command adds; empty: they are printed.")


def main(_: list[str]) -> None:
    """Judges all videos and ends with the exit code."""
    logging.set_verbosity(logging.WARNING)
    if not _WORKDIR.value or not _POLICY.value or not _VIDEO.value or not all(_VIDEO.value):
        raise ConfigError("--workdir, --policy or --video is empty; expected the name of a file or folder")
    policy = read_policy(_POLICY.value)
    model = load(_WORKDIR.value)
    videos = verdicts.find([pathlib.Path(one) for one in _VIDEO.value], model.config.prepare.backbone)
    lines = verdicts.judge_all(model, policy, videos, pathlib.Path(_OUTPUT.value) if _OUTPUT.value else None)
    counts = collections.Counter(line.get("verdict", FAILED) for line in lines)
    summary = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    print(f"moderate: {len(lines):,} videos: {summary}", file=sys.stderr)
    if counts[FAILED]:
        sys.exit(NOT_JUDGED)
    if len(lines) > counts[ALLOW]:
        sys.exit(NOT_ALLOWED)


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "policy"])
    cli.run(main)
