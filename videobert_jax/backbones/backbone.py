"""What every backbone offers to the rest of the program."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from videobert_jax.errors import ConfigError

Embed = Callable[[np.ndarray], np.ndarray]  # clips [N, T, ...] to float32 features [N, D]
IMAGE_MOMENTS = 3  # of a clip at which an image network looks closely


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A frozen, pretrained image network; its preprocessing is part of `apply`.

    Attributes:
      name: its key in the registry.
      image_size: height and width in pixels that it was trained at; others may work.
      feature_size: D, the length of a feature.
      load: reads the pretrained parameters, a tree of NumPy arrays; may raise OSError or ValueError.
      apply: (parameters, RGB [N, H, W, 3] with values from 0 to 255) to float32 [N, D]; may be jitted.
    """

    name: str
    image_size: int
    feature_size: int
    load: Callable[[], Any]
    apply: Callable[[Any, jax.Array], jax.Array]

    def check(self, frames: int, image_size: int, weights: str) -> None:
        """Raises ConfigError for clips that are too short, and for weights, which it brings itself."""
        del image_size  # any will do
        require_frames(self.name, frames, IMAGE_MOMENTS)
        refuse_weights(self.name, weights)


@dataclasses.dataclass(frozen=True)
class VideoBackbone:
    """A frozen, pretrained video network; its preprocessing, frame sizes apart, is part of `apply`.

    Attributes:
      name: its key in the registry.
      image_size: height and width in pixels that it was trained at; others may work.
      feature_size: D, the length of a feature.
      min_frames: the shortest clip that it works on.
      multiple: the number of frames, the height and the width of a clip have to be multiples of it.
      checkpoint: which file of weights `load` reads and where to get it; no package brings it.
      load: reads the parameters, a tree of NumPy arrays, from that file; may raise OSError or ValueError.
      apply: (parameters, RGB [N, T, H, W, 3] with values from 0 to 255) to float32 [N, D]; may be jitted.
    """

    name: str
    image_size: int
    feature_size: int
    min_frames: int
    multiple: int
    checkpoint: str
    load: Callable[[pathlib.Path], Any]
    apply: Callable[[Any, jax.Array], jax.Array]

    def check(self, frames: int, image_size: int, weights: str) -> None:
        """Raises ConfigError for clips or a file of weights that it cannot work with, saying which option to set."""
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
    """Whatever else makes features of clips: not a network in JAX.

    Attributes:
      name: its key in the registry.
      check: (frames of a clip, image size, weights) as in the config; raises ConfigError for what it cannot work with.
      load: from the config's weights to what makes float32 features [N, D] of N clips; may raise OSError or ValueError.
    """

    name: str
    check: Callable[[int, int, str], None]
    load: Callable[[str], Embed]


def require_frames(name: str, frames: int, least: int, multiple: int = 1) -> None:
    """Raises ConfigError if clips have fewer frames than `least`, or no multiple of `multiple`."""
    if frames < least or frames % multiple:
        multiples = f", a multiple of {multiple}" if multiple > 1 else ""
        raise ConfigError(f"config.prepare.clip_frames is {frames}; backbone {name} needs at least {least}{multiples}")


def refuse_weights(name: str, weights: str) -> None:
    """Raises ConfigError if any are named."""
    if weights:
        raise ConfigError(f"{name} brings its own weights: leave config.prepare.backbone_weights empty")
