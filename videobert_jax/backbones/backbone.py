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
    """A frozen, pretrained image network; `apply` includes its preprocessing.

    Attributes:
      name: key in the registry.
      image_size: height and width in pixels used in training; others may work.
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
        """Raises ConfigError for clips that are too short, and for `weights`, which the package includes."""
        del image_size  # any size works
        require_frames(self.name, frames, IMAGE_MOMENTS)
        refuse_weights(self.name, weights)


@dataclasses.dataclass(frozen=True)
class VideoBackbone:
    """A frozen, pretrained video network; `apply` includes its preprocessing, except resizing.

    Attributes:
      name: key in the registry.
      image_size: height and width in pixels used in training; others may work.
      feature_size: D, the length of a feature.
      min_frames: length of the shortest clip it accepts.
      multiple: the number of frames, the height and the width of a clip must be multiples of it.
      checkpoint: the file of weights that `load` reads and where to download it; no package includes it.
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
    """Any other source of clip features, outside JAX.

    Attributes:
      name: key in the registry.
      check: (frames of a clip, image size, weights) as in the config; raises ConfigError if it cannot use them.
      load: (weights) as in the config, to a function from N clips to float32 features [N, D]; may raise OSError or
        ValueError.
    """

    name: str
    check: Callable[[int, int, str], None]
    load: Callable[[str], Embed]


def require_frames(name: str, frames: int, least: int, multiple: int = 1) -> None:
    """Raises ConfigError unless clips have at least `least` frames, a multiple of `multiple`."""
    if frames < least or frames % multiple:
        multiples = f", a multiple of {multiple}" if multiple > 1 else ""
        raise ConfigError(f"config.prepare.clip_frames is {frames}; backbone {name} needs at least {least}{multiples}")


def refuse_weights(name: str, weights: str) -> None:
    """Raises ConfigError if `weights` is set."""
    if weights:
        raise ConfigError(f"{name} has its own weights: leave config.prepare.backbone_weights empty")
