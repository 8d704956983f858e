"""Splits videos into training and validation."""

import hashlib
from collections.abc import Mapping, Sequence

from videobert_jax.data.prepared import TRAIN, VALIDATION
from videobert_jax.formats.annotations import Annotation


def split_videos(
    video_ids: Sequence[str], annotations: Mapping[str, Annotation], fraction: float
) -> dict[str, list[str]]:
    """Returns the videos of each split, sorted.

    If annotations hold out some videos, but not all, they define the split, and videos without annotations are trained
    on. Otherwise a hash of its id decides about each video, so that its split does not depend on the others; each split
    has at least one video. A single video is in both splits.

    Args:
      video_ids: at least one.
      annotations: by video id; those of `video_ids` have a split.
      fraction: held-out share if annotations do not define the split.
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
    return int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:6]) / 2**48
