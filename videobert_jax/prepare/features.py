"""Videos to clip features and thumbnails, one file per video, in parallel processes on the CPU."""

import dataclasses
import functools
import itertools
import io
import os
import pathlib
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from videobert_jax.backbones import get_backbone
from videobert_jax.config import PrepareConfig
from videobert_jax.prepare.pool import share_out
from videobert_jax.prepare.video import VideoError, read_clips
from videobert_jax.progress import progress

BATCH_CLIPS = 2  # go through the network together: few enough for the activations to stay in a core's cache
THUMBNAIL_SIZE = 96  # pixels
THUMBNAIL_QUALITY = 85
# A worker process has one core to itself.
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

Embed = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class ClipFeatures:
    """What one file holds, clip by clip.

    Attributes:
      features: float16 [n, D].
      thumbnails: n JPEG files, each the middle frame of its clip.
    """

    features: np.ndarray
    thumbnails: list[bytes]

    def save(self, path: pathlib.Path) -> None:
        """Writes a file that is never seen half done."""
        temporary = path.with_name(f".{path.name}.part")
        with temporary.open("wb") as file:
            jpegs = np.frombuffer(b"".join(self.thumbnails), np.uint8)
            ends = np.cumsum([len(jpeg) for jpeg in self.thumbnails])
            np.savez(file, features=self.features, thumbnails=jpegs, thumbnail_ends=ends)
        temporary.replace(path)

    @classmethod
    def load(cls, path: pathlib.Path) -> "ClipFeatures":
        with np.load(path) as arrays:
            jpegs = np.split(arrays["thumbnails"], arrays["thumbnail_ends"][:-1])
            return cls(arrays["features"], [jpeg.tobytes() for jpeg in jpegs])


@dataclasses.dataclass(frozen=True)
class _Job:
    path: pathlib.Path
    target: pathlib.Path
    config: PrepareConfig


def extract(
    videos: Sequence[tuple[str, pathlib.Path]], directory: pathlib.Path, config: PrepareConfig
) -> dict[str, str]:
    """Writes `directory/<video id>.npz`, a `ClipFeatures`, for every video that has none yet.

    What a file holds depends on the video and on `config` alone, bit for bit, and not on the number of workers.

    Args:
      videos: (video id, file) pairs.
      directory: is made if missing.
      config: how to sample and what to compute, in how many `workers` (0: one per core).

    Returns:
      For each video that could not be read, by id, the reason. The others are not affected.
    """
    directory.mkdir(parents=True, exist_ok=True)
    jobs = [_Job(path, directory / f"{video_id}.npz", config) for video_id, path in videos]
    jobs = [job for job in jobs if not job.target.exists()]
    results = progress(share_out(_extract, jobs, config.workers), len(jobs), "features", "video")
    return dict(sorted((job.target.stem, str(reason)) for job, reason in results if reason))


def _extract(job: _Job) -> str | None:
    """Runs in a worker. Returns why the video cannot be read, if so."""
    try:
        features_of(job.path, job.config).save(job.target)
    except VideoError as error:
        return error.reason
    return None


def features_of(path: pathlib.Path, config: PrepareConfig) -> ClipFeatures:
    """Computes the features of one video in this process. Raises VideoError."""
    embed = _embedder(config.backbone)
    clips = read_clips(path, config.fps, config.clip_frames, config.image_size, threads=1)
    features: list[np.ndarray] = []
    thumbnails: list[bytes] = []
    while batch := list(itertools.islice(clips, BATCH_CLIPS)):
        missing = BATCH_CLIPS - len(batch)
        views = np.stack([clip_views(clip) for clip in batch + missing * batch[-1:]])
        features.extend(embed(views)[: len(batch)])
        thumbnails.extend(_thumbnail(clip) for clip in batch)
    return ClipFeatures(np.stack(features).astype(np.float16), thumbnails)


@functools.cache
def _embedder(name: str) -> Embed:
    """uint8 views [N, V, H, W, 3] to float32 features [N, V * D], each view's part of length 1."""
    os.environ["XLA_FLAGS"] = ONE_THREAD
    jax.config.update("jax_platforms", "cpu")
    backbone = get_backbone(name)
    params = jax.device_put(backbone.load())

    @jax.jit
    def embed(params, views):
        outputs = backbone.apply(params, views.reshape(-1, *views.shape[2:])).reshape(*views.shape[:2], -1)
        return (outputs / jnp.linalg.norm(outputs, axis=-1, keepdims=True)).reshape(len(views), -1)

    return lambda views: np.asarray(embed(params, views))


def clip_views(clip: np.ndarray) -> np.ndarray:
    """The pictures that stand for a clip uint8 [T, H, W, 3]: uint8 [V, H, W, 3]."""
    middle = len(clip) // 2
    gray = (clip @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    short = gray[[middle - 1, middle, middle + 1]]
    long = gray[[0, middle, -1]]
    return np.stack([clip[middle], np.moveaxis(short, 0, -1), np.moveaxis(long, 0, -1)])


def _thumbnail(clip: np.ndarray) -> bytes:
    """The middle frame as a JPEG file."""
    buffer = io.BytesIO()
    image = Image.fromarray(clip[len(clip) // 2]).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    image.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()
