"""Which videos are trained on and which are held out."""

import hashlib
from collections.abc import Mapping, Sequence

from videobert_jax.data.prepared import TRAIN, VALIDATION
from videobert_jax.prepare.annotations import Annotation


def split_videos(
    video_ids: Sequence[str], annotations: Mapping[str, Annotation], fraction: float
) -> dict[str, list[str]]:
    """The videos of each split, sorted.

    Where annotations hold some videos out, but not all, they decide, and videos that they do not name are trained on.
    Otherwise a hash of its id decides about each video, so that it stays where it is when others come or go; either
    side has at least one. A single video is on both sides: it can be learnt by heart, not judged.

    Args:
      video_ids: at least one.
      annotations: by video id, perhaps none; those of `video_ids` have a split.
      fraction: share held out where no annotation says so.
    """
    splits = {v: annotations[v].split if v in annotations else TRAIN for v in video_ids}
    if len(video_ids) == 1:
        return {TRAIN: list(video_ids), VALIDATION: list(video_ids)}
    if set(splits.values()) != {TRAIN, VALIDATION}:
        by_hash = sorted(video_ids, key=_uniform)
        held_out = sum(_uniform(video_id) < fraction for video_id in by_hash)
        held_out = min(max(held_out, 1), len(by_hash) - 1)
        splits = {v: VALIDATION if rank < held_out else TRAIN for rank, v in enumerate(by_hash)}
    return {split: sorted(v for v in video_ids if splits[v] == split) for split in (TRAIN, VALIDATION)}


def _uniform(video_id: str) -> float:
    """A number in [0, 1) that depends on the id alone."""
    return int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:6]) / 2**48
