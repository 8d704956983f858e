"""What every backbone offers to the rest of the program."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import jax

from videobert_jax.config import ConfigError


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
        if frames < self.min_frames or frames % self.multiple:
            raise ConfigError(
                f"config.prepare.clip_frames is {frames}; backbone {self.name} needs at least {self.min_frames}, "
                f"a multiple of {self.multiple}"
            )
        if image_size % self.multiple:
            raise ConfigError(
                f"config.prepare.image_size is {image_size}; backbone {self.name} needs a multiple of {self.multiple}"
            )
        if not pathlib.Path(weights).is_file():
            raise ConfigError(
                f"config.prepare.backbone_weights is {weights!r}, not a file; backbone {self.name} needs its weights: "
                f"download {self.checkpoint} and name the file with --config.prepare.backbone_weights"
            )
