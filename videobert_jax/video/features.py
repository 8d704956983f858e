"""Videos to clip features and thumbnails, one file per video, in parallel processes on the CPU."""

import functools
import io
import itertools
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw

from videobert_jax.backbones import Backbone, ForeignBackbone, get_backbone
from videobert_jax.backbones.backbone import Embed
from videobert_jax.config import PrepareConfig
from videobert_jax.data.features import ClipFeatures
from videobert_jax.errors import ConfigError, DamagedError, VideoError
from videobert_jax.video import feature_files
from videobert_jax.video.crops import region_of
from videobert_jax.video.frames import read_clips, stated_length
from videobert_jax.video.views import UNCHANGED, View

BATCH_CLIPS = 2  # per call of the network: few enough for the activations to stay in a core's cache
THUMBNAIL_SIZE = 96  # pixels
THUMBNAIL_QUALITY = 85
CLOSEUP = 0.44  # share of each side that a close-up shows
MOTION_CENTRE = 0.56  # the same for the picture of motion
COLOUR_BINS = 8  # along each of three axes
COLOUR_RADIUS = 0.27  # standard deviation of the weight of a pixel, in sides of the close-up
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def extract(
    config: PrepareConfig, directory: pathlib.Path, video: tuple[str, str], view: View = UNCHANGED
) -> str | None:
    """Writes `directory/<name>.npz`, a `ClipFeatures`, unless an intact one exists.

    The file depends only on the video, on `config` and on `view`, bit for bit. Runs in a worker process, on one core.

    Args:
      config: how to sample and what to compute.
      directory: must exist.
      video: the name, and the path of the video.
      view: how the video is seen.

    Returns:
      Why the video cannot be used, else None. Any error while reading it counts, except those that concern all videos:
      unreadable weights, lack of memory and a failing disk for the output are raised.
    """
    name, path = video
    target = directory / f"{name}.npz"
    if _is_stored(target):
        return None
    use_one_core()
    _embedder(config.backbone, config.backbone_weights, config.whole_frame)
    try:
        computed = features_of(pathlib.Path(path), config, view)
    except VideoError as error:
        return error.reason
    except MemoryError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    computed.save(target)
    return None


def use_one_core() -> None:
    """Restricts JAX in this process, which must not have used it yet, to the CPU and to one thread."""
    os.environ["XLA_FLAGS"] = ONE_THREAD
    jax.config.update("jax_platforms", "cpu")


def _is_stored(path: pathlib.Path) -> bool:
    if not path.exists():
        return False
    try:
        ClipFeatures.load(path)
    except DamagedError:
        print(f"{path} is damaged: making it again", file=sys.stderr)
        return False
    return True


def features_of(path: pathlib.Path, config: PrepareConfig, view: View = UNCHANGED) -> ClipFeatures:
    """Computes the features of one video in this process. Raises VideoError."""
    return embed_clips(clips_of(path, config, view), config)


def embed_clips(clips: Iterator[np.ndarray], config: PrepareConfig) -> ClipFeatures:
    """Computes the features of at least one clip from `clips_of` in this process, without changing its JAX settings."""
    embed = _embedder(config.backbone, config.backbone_weights, config.whole_frame)
    features: list[np.ndarray] = []
    thumbnails: list[bytes] = []
    while batch := list(itertools.islice(clips, BATCH_CLIPS)):
        missing = BATCH_CLIPS - len(batch)
        features.append(embed(np.stack(batch + missing * batch[-1:]))[: len(batch)].astype(np.float16))
        thumbnails.extend(_thumbnail(clip) for clip in batch)
    return ClipFeatures(np.concatenate(features), thumbnails)


def clips_of(path: pathlib.Path, config: PrepareConfig, view: View = UNCHANGED) -> Iterator[np.ndarray]:
    """Yields clips: frames uint8 [T, H, W, 3], or rows float32 [T, D] of precomputed features, which have no views.

    Raises VideoError.
    """
    if config.backbone != feature_files.BACKBONE:
        region, fps = view.within(region_of(config.crop, path.stem)), config.fps / view.speed
        alter = None if view == UNCHANGED else view.alter
        return read_clips(path, fps, config.clip_frames, config.image_size, 1, config.clip_step, region, alter)
    try:
        return iter(feature_files.read_clips(path, config.clip_frames, config.clip_step))
    except ValueError as error:
        raise VideoError(path, str(error)) from error
    except OSError as error:
        raise VideoError(path, f"cannot be read: {error.strerror or error}") from error


def count_clips(path: pathlib.Path, config: PrepareConfig) -> int | None:
    """The number of clips according to the header of a file, for progress; None if unknown."""
    if config.backbone != feature_files.BACKBONE:
        length = stated_length(path)
        return None if length is None else _clips_in(int(length * Fraction(config.fps)), config)
    try:
        return _clips_in(feature_files.shape(path).rows, config)
    except (OSError, ValueError):
        return None


def _clips_in(frames: int, config: PrepareConfig) -> int:
    return max(0, 1 + (frames - config.clip_frames) // (config.clip_step or config.clip_frames))


@functools.cache
def _embedder(name: str, weights: str = "", whole_frame: bool = False) -> Embed:
    """Returns a function from N clips of `clips_of` to float32 features [N, D]; JAX compiles it once per shape.

    `_clip_feature` applies a JAX image network to a clip; all other backbones compute a clip's feature themselves.
    Raises ConfigError for weights that cannot be read.
    """
    backbone = get_backbone(name)
    try:
        if isinstance(backbone, ForeignBackbone):
            return backbone.load(weights)
        loaded = backbone.load() if isinstance(backbone, Backbone) else backbone.load(pathlib.Path(weights))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the weights of backbone {name} cannot be read: {error}") from error
    clip_features = functools.partial(_clip_features, backbone.apply, whole_frame)
    params, apply = jax.device_put(loaded), jax.jit(clip_features if isinstance(backbone, Backbone) else backbone.apply)
    return lambda clips: np.asarray(apply(params, clips))


def _clip_features(
    apply: Callable[[Any, jax.Array], jax.Array], whole_frame: bool, params: Any, clips: jax.Array
) -> jax.Array:
    return jax.vmap(functools.partial(_clip_feature, functools.partial(apply, params), whole_frame))(clips)


def _clip_feature(network: Callable[[jax.Array], jax.Array], whole_frame: bool, clip: jax.Array) -> jax.Array:
    """The feature float32 [D] of one clip uint8 [T, H, W, 3].

    To show motion to an image network, the range of each pixel over the clip is made a picture: it shows what moved and
    along which path (motion-energy images, Bobick and Davis 2001). To show small objects, the centre of the frame is
    enlarged (fovea stream, Karpathy et al. 2014). The parts are

      range of the whole frame | range of the centre | close-ups, mean over three moments | colours of the centre

    with the network's features normalised to length 1; a mean over plain frames would lose most of the motion. The
    middle frame as it is follows if `whole_frame` is set.
    """
    frames = clip.astype(jnp.float32)
    motion = frames.max(axis=0) - frames.min(axis=0)
    last = len(clip) - 1
    moments = frames[jnp.array([last // 6, last // 2, last - last // 6])]
    closeups = [_centre(moment, CLOSEUP) for moment in moments]
    enlarged = [jax.image.resize(x, motion.shape, "linear") for x in (_centre(motion, MOTION_CENTRE), *closeups)]
    whole, centre, *close = network(jnp.stack([motion, *enlarged]))
    parts = [_unit(whole), _unit(centre), _unit(sum(close)), _colours(closeups[1])]
    if whole_frame:
        parts.append(_unit(network(moments[1][None])[0]))
    return jnp.concatenate(parts)


def _unit(vector: jax.Array) -> jax.Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), 1e-6)


def _centre(picture: jax.Array, share: float) -> jax.Array:
    """The middle `share` of each side of [H, W, 3]."""
    height, width, _ = picture.shape
    rows, columns = round(height * share), round(width * share)
    top, left = (height - rows) // 2, (width - columns) // 2
    return picture[top : top + rows, left : left + columns]


def _colours(picture: jax.Array) -> jax.Array:
    """Centre-weighted histogram [bins ** 3] of float32 [H, W, 3] in lightness, red-green and yellow-blue.

    Its square roots make Euclidean distance the Hellinger distance; otherwise a few full bins would dominate.
    """
    red, green, blue = jnp.moveaxis(picture, -1, 0) / 256
    opponents = jnp.stack([(red + green + blue) / 3, (red - green + 1) / 2, ((red + green) / 2 - blue + 1) / 2])
    # A value is split between the two nearest bins, so that a small change of light has a small effect.
    places = jnp.clip(opponents.reshape(3, -1, 1) * COLOUR_BINS, 0, COLOUR_BINS - 1)
    light, warm, yellow = jnp.maximum(0, 1 - jnp.abs(places - jnp.arange(COLOUR_BINS)[None, None]))
    distances = [((jnp.arange(side) + 0.5) / side - 0.5) ** 2 for side in picture.shape[:2]]
    weights = jnp.exp(-(distances[0][:, None] + distances[1][None]) / (2 * COLOUR_RADIUS**2)).reshape(-1, 1)
    pairs = ((weights / weights.sum() * light)[:, :, None] * warm[:, None, :]).reshape(len(light), -1)
    return jnp.sqrt((pairs.T @ yellow).reshape(-1))


def _thumbnail(clip: np.ndarray) -> bytes:
    """The middle frame as JPEG; for a clip without frames, a placeholder."""
    if clip.ndim == 2:
        return _tile()
    return _jpeg(Image.fromarray(clip[len(clip) // 2]).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE)))


@functools.cache
def _tile() -> bytes:
    tile = Image.new("L", (THUMBNAIL_SIZE, THUMBNAIL_SIZE), "gainsboro")
    ImageDraw.Draw(tile).text((THUMBNAIL_SIZE / 2, THUMBNAIL_SIZE / 2), "no picture", fill="dimgray", anchor="mm")
    return _jpeg(tile)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()
