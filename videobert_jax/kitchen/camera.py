"""A camera over a canvas that is larger than the frame: it drifts, shakes, and can move closer."""

import math

import numpy as np
from PIL import Image

MARGIN = 1.16  # the canvas is larger than the frame so that the camera can move


class Camera:
    """The motion of the camera during one video, with frames of `frame` = (width, height) pixels."""

    def __init__(self, frame: tuple[int, int], rng: np.random.Generator):
        self.frame = frame
        self.canvas = (round(frame[0] * MARGIN), round(frame[1] * MARGIN))
        self._unit = min(frame)
        self._drift = rng.uniform(0.1, 0.35, 3), rng.uniform(0, 2 * math.pi, 3)
        self._travel = np.array([0.05, 0.05, 0.06]) * rng.uniform(0, 1, 3)  # right, down, closer
        self._shake = rng.normal(0, rng.choice([0.0, 0.3, 0.8]), (64, 2))

    def shoot(self, canvas: Image.Image, time: float, index: int, closer: float = 1.0) -> Image.Image:
        """Returns the frame `index` at `time` (seconds), RGB; `closer` > 1 magnifies the middle of the canvas."""
        right, down, zoom = (self._travel * np.sin(self._drift[0] * time * 2 + self._drift[1])).tolist()
        zoom = (1.06 + zoom) / closer
        shift = np.array([right, down]) * self._unit + self._shake[index % len(self._shake)]
        room = np.array(self.canvas) - np.array(self.frame) * zoom
        left, top = np.clip(room / 2 + shift, 0, room).tolist()
        box = (left, top, left + self.frame[0] * zoom, top + self.frame[1] * zoom)
        return canvas.resize(self.frame, Image.Resampling.BILINEAR, box)
