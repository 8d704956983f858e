"""Splits videos into training, validation and, if annotations say so, testing."""

import hashlib
from collections.abc import Mapping, Sequence

from videobert_jax.data.prepared import TEST, TRAIN, VALIDATION
from videobert_jax.formats.annotations import Annotation


def split_videos(
    video_ids: Sequence[str], annotations: Mapping[str, Annotation], fraction: float
) -> dict[str, list[str]]:
    """Returns the videos of each split, sorted.

    Videos that annotations put into the test split are in no other. If annotations hold out some of the others, but not
    all, they define the split, and videos without annotations are trained on. Otherwise a hash of its id decides about
    each, so that its split does not depend on the others; each split has at least one video. If there is a single one,
    it is both trained on and held out. There is no test split without annotations.

    Args:
      video_ids: at least one.
      annotations: by video id; those of `video_ids` have a split.
      fraction: held-out share if annotations do not define the split.
    """
    tested = [v for v in video_ids if v in annotations and annotations[v].split == TEST]
    tests = {TEST: sorted(tested)} if tested else {}
    video_ids = sorted(set(video_ids) - set(tested))
    splits = {v: annotations[v].split if v in annotations else TRAIN for v in video_ids}
    if len(video_ids) < 2:
        return {TRAIN: video_ids, VALIDATION: video_ids, **tests}
    if set(splits.values()) != {TRAIN, VALIDATION}:
        by_hash = sorted(video_ids, key=_uniform)
        held_out = sum(_uniform(video_id) < fraction for video_id in by_hash)
        held_out = min(max(held_out, 1), len(by_hash) - 1)
        splits = {v: VALIDATION if rank < held_out else TRAIN for rank, v in enumerate(by_hash)}
    return {split: [v for v in video_ids if splits[v] == split] for split in (TRAIN, VALIDATION)} | tests


def _uniform(video_id: str) -> float:
    return int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:6]) / 2**48
