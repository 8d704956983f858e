"""No network: a clip's feature is the clip itself, grey and small. A mark that a network has to beat.

The picture that its frames have in common, their mean, stands apart from what changes in it.
"""

import numpy as np
from PIL import Image

from videobert_jax.backbones.backbone import Embed, ForeignBackbone, refuse_weights

SIDE = 24  # pixels


def _check(frames: int, image_size: int, weights: str) -> None:
    del frames, image_size  # any will do
    refuse_weights("pixels", weights)


def _load(weights: str) -> Embed:
    del weights
    return embed


def embed(clips: np.ndarray) -> np.ndarray:
    """RGB clips uint8 [N, T, H, W, 3] to float32 [N, (T + 1) * SIDE ** 2] in [-1, 1].

    First how each frame differs from the mean frame, then the mean frame; each pixel is the mean of its area.
    """
    grey = [Image.fromarray(frame).convert("L") for frame in clips.reshape(-1, *clips.shape[2:])]
    small = np.stack([np.asarray(frame.resize((SIDE, SIDE), Image.Resampling.BOX)) for frame in grey])
    frames = small.reshape(len(clips), -1, SIDE**2).astype(np.float32)
    mean = frames.mean(axis=1, keepdims=True)  # exact where nothing moves: sums of whole levels are
    return np.concatenate([frames - mean, mean], axis=1).reshape(len(clips), -1) / 255


def _suits(weights: str) -> tuple[int, int]:
    del weights
    return 1, 4 * SIDE


PIXELS = ForeignBackbone(name="pixels", check=_check, load=_load, suits=_suits)
