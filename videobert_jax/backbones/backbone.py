"""The interface of backbones to the rest of the program."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from videobert_jax.errors import ConfigError

Embed = Callable[[np.ndarray], np.ndarray]  # clips [N, T, ...] to float32 features [N, D]
IMAGE_MOMENTS = 3  # frames of a clip that an image network looks at


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A frozen, pretrained image network; `apply` includes its preprocessing and may be jitted."""

    name: str  # key in the registry
    image_size: int  # height and width in pixels used in training; others may work
    feature_size: int  # D, the length of a feature
    load: Callable[[], Any]  # reads the pretrained parameters, NumPy arrays; may raise OSError or ValueError
    apply: Callable[[Any, jax.Array], jax.Array]  # (parameters, RGB [N, H, W, 3], 0 to 255) to float32 [N, D]

    def suits(self, weights: str) -> tuple[int, int]:
        """The fewest frames of a clip, and the best image size."""
        del weights
        return IMAGE_MOMENTS, self.image_size

    def check(self, frames: int, image_size: int, weights: str) -> None:
        """Raises ConfigError for clips that are too short, and for `weights`, which the package includes."""
        del image_size  # any size works
        require_frames(self.name, frames, IMAGE_MOMENTS)
        refuse_weights(self.name, weights)


@dataclasses.dataclass(frozen=True)
class VideoBackbone:
    """A frozen, pretrained video network; `apply` includes its preprocessing, except resizing, and may be jitted."""

    name: str  # key in the registry
    image_size: int  # height and width in pixels used in training; others may work
    feature_size: int  # D, the length of a feature
    min_frames: int  # of a clip
    multiple: int  # which divides the number of frames, the height and the width of a clip
    checkpoint: str  # the file that `load` reads and where to download it; no package includes it
    load: Callable[[pathlib.Path], Any]  # reads the parameters, NumPy arrays; may raise OSError or ValueError
    apply: Callable[[Any, jax.Array], jax.Array]  # (parameters, RGB [N, T, H, W, 3], 0 to 255) to float32 [N, D]

    def suits(self, weights: str) -> tuple[int, int]:
        """The fewest frames of a clip, and the best image size."""
        del weights
        return self.min_frames, self.image_size

    def check(self, frames: int, image_size: int, weights: str) -> None:
        """Raises ConfigError for clips or weights that it cannot use, naming the option to set."""
        require_frames(self.name, frames, self.min_frames, self.multiple)
        if image_size % self.multiple:
            raise ConfigError(
                f"config.prepare.image_size is {image_size}; backbone {self.name} needs a multiple of {self.multiple}"
            )
        if not pathlib.Path(weights).is_file():
            raise ConfigError(
                f"config.prepare.backbone_weights is {weights!r}, not a file; backbone {self.name} needs its weights: "
                f"download {self.checkpoint} and name the file with --config.prepare.backbone_weights"
            )


@dataclasses.dataclass(frozen=True)
class ForeignBackbone:
    """Any other source of clip features, outside JAX."""

    name: str  # key in the registry
    check: Callable[[int, int, str], None]  # (clip_frames, image_size, weights) of the config; raises ConfigError
    load: Callable[[str], Embed]  # from the weights of the config; may raise OSError or ValueError
    suits: Callable[[str], tuple[int, int]]  # by the weights: the fewest frames of a clip, and the best image size


def moments(frames: int, count: int) -> np.ndarray:
    """Indices of the middle frames of `count` equal parts of a clip of `frames` frames."""
    return (np.arange(count) * 2 + 1) * frames // (2 * count)


def require_frames(name: str, frames: int, least: int, multiple: int = 1) -> None:
    """Raises ConfigError unless clips have at least `least` frames, a multiple of `multiple`."""
    if frames < least or frames % multiple:
        multiples = f", a multiple of {multiple}" if multiple > 1 else ""
        raise ConfigError(f"config.prepare.clip_frames is {frames}; backbone {name} needs at least {least}{multiples}")


def refuse_weights(name: str, weights: str) -> None:
    """Raises ConfigError if `weights` is set."""
    if weights:
        raise ConfigError(f"{name} has its own weights: leave config.prepare.backbone_weights empty")
