"""Views: random changes of whole videos, as if they had been filmed differently, which augment training videos.

One view is drawn for a whole video and applies to all its frames: motion stays as it is.
"""

import hashlib
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from videobert_jax.config import PrepareConfig
from videobert_jax.video.crops import WHOLE, Region

GREY = 127.5  # to which less contrast draws all values
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R BT.601)


class View(NamedTuple):
    """The changes that make a view of a video; by default none.

    Attributes:
      region: of what `prepare.crop` leaves of a frame, the part that is seen.
      zoom: factor by which pictures are enlarged; below 1, their mirror images fill the rest.
      angle: degrees by which they are turned clockwise.
      flipped: whether left and right are exchanged, after that.
      brightness, contrast, saturation: factors.
      speed: seconds of the video that a second of the view shows.
    """

    region: Region = WHOLE
    zoom: float = 1.0
    angle: float = 0.0
    flipped: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    speed: float = 1.0

    def within(self, outer: Region) -> Region:
        """The part of the frame that is seen of a region of it."""
        if self.region == WHOLE:
            return outer
        left, top, right, bottom = outer
        width, height = right - left, bottom - top
        a, b, c, d = self.region
        return left + a * width, top + b * height, left + c * width, top + d * height

    def alter(self, picture: np.ndarray) -> np.ndarray:
        """A picture of the region, uint8 [side, side, 3], as the view shows it."""
        if (self.zoom, self.angle, self.flipped) != (1.0, 0.0, False):
            picture = self._turned(picture)
        if (self.brightness, self.contrast, self.saturation) != (1.0, 1.0, 1.0):
            picture = self._coloured(picture)
        return picture

    def _turned(self, picture: np.ndarray) -> np.ndarray:
        side, angle = len(picture), math.radians(self.angle)
        across, along = math.cos(angle) / self.zoom, math.sin(angle) / self.zoom
        reach = side / 2 * (abs(across) + abs(along))  # from the centre, of what is seen
        border = max(0, math.ceil(reach - side / 2) + 1)
        mirrored = np.pad(picture, ((border, border), (border, border), (0, 0)), "symmetric")
        sign, half, centre = -1 if self.flipped else 1, side / 2, border + side / 2
        # Pillow's order: x and y of the source as functions of x and y of the result.
        x = (sign * across, along, centre - half * (sign * across + along))
        y = (-sign * along, across, centre - half * (across - sign * along))
        image = Image.fromarray(mirrored)
        return np.asarray(image.transform((side, side), Image.Transform.AFFINE, (*x, *y), Image.Resampling.BILINEAR))

    def _coloured(self, picture: np.ndarray) -> np.ndarray:
        mixed = self.saturation * np.eye(3) + (1 - self.saturation) * np.outer(LUMINANCE, np.ones(3))
        matrix = (self.brightness * self.contrast * mixed).astype(np.float32)
        offset = np.float32(self.brightness * GREY * (1 - self.contrast))
        return np.clip(np.rint(picture.astype(np.float32) @ matrix + offset), 0, 255).astype(np.uint8)


UNCHANGED = View()


def draw(config: PrepareConfig, video_id: str, number: int, clips: int, sided: bool) -> View:
    """Draws a view by (config.view_seed, video, number). Each setting changes its own part of it and no other.

    Args:
      config: how much views may differ.
      video_id: the video's name.
      number: of the view, from 1 on.
      clips: of the video as it is, at least 1. No view is so fast that it has none.
      sided: whether left and right have to stay, since the video's words name them.
    """
    name = int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:8])
    rng = np.random.default_rng([config.view_seed, name, number])
    width, height, left, top, flip = rng.random(5).tolist()
    zoom, angle, brightness, contrast, saturation, speed = rng.uniform(-1, 1, 6).tolist()
    width, height = 1 - config.view_crop * width, 1 - config.view_crop * height
    left, top = left * (1 - width), top * (1 - height)
    fastest = 1 + (clips - 1) * (config.clip_step or config.clip_frames) / config.clip_frames
    return View(
        region=(left, top, left + width, top + height) if config.view_crop else WHOLE,
        zoom=config.view_scale**zoom,
        angle=config.view_rotation * angle,
        flipped=config.view_flip and flip < 0.5 and not sided,
        brightness=1 + config.view_colour * brightness,
        contrast=1 + config.view_colour * contrast,
        saturation=1 + config.view_colour * saturation,
        speed=min(config.view_speed**speed, fastest),
    )
