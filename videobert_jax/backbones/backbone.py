"""What every backbone offers to the rest of the program."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax


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
