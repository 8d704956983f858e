"""Time and motion: actions, the clock of a step, and small flying particles."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from videobert_jax.kitchen.painting import Color, Point, Sketch, Sprite, Stage

APPROACH = 0.5  # seconds for a hand to enter the picture, and to leave it


class Action(NamedTuple):
    """One verb acted out on one object during one step.

    Both functions depend only on their arguments, so any frame can be painted without the frames before it.
    """

    prepare: Callable[[Image.Image, Stage], None]  # paints what does not move, once
    act: Callable[[Image.Image, Stage, float], None]  # paints object, tool and hand at a time, seconds into the step


class Clock:
    """The time of a step of `duration` seconds with strokes of `period` seconds that start at `phase` radians."""

    def __init__(self, duration: float, period: float, phase: float):
        self.duration, self.period, self.phase = duration, period, phase

    def progress(self, time: float) -> float:
        """Fraction of the work done, 0 to 1."""
        return min(1.0, max(0.0, (time - APPROACH) / (self.duration - 2 * APPROACH)))

    def away(self, time: float) -> float:
        """Distance of the hand from the work: 0 (at it) to 1 (outside the picture)."""
        return max(0.0, 1 - time / APPROACH, 1 - (self.duration - time) / APPROACH)

    def angle(self, time: float) -> float:
        """Phase of the cycle in radians, not wrapped."""
        return 2 * math.pi * time / self.period + self.phase

    def wave(self, time: float) -> float:
        """Sine of the phase, -1 to 1."""
        return math.sin(self.angle(time))

    def press(self, time: float) -> float:
        """A stroke: 0 at rest, 1 at its lowest; rests longer than it presses."""
        return (0.5 - 0.5 * math.cos(self.angle(time))) ** 1.5


class Drops:
    """Small pictures that repeatedly fly out of a place.

    Args:
      pictures: one is picked for each drop.
      count: drops in the air.
      spread: half-width and half-height of the area they start from, frame sides.
      speed: largest sideways velocity and mean downward velocity at the start, frame sides per second.
      gravity: frame sides per second squared; 0 for steam.
      life: seconds.
      rng: draws pictures, places, velocities and ages.
    """

    def __init__(
        self,
        pictures: list[Sprite],
        count: int,
        spread: Point,
        speed: Point,
        gravity: float,
        life: float,
        rng: np.random.Generator,
    ):
        starts = (rng.uniform(-1, 1, (count, 2)) * spread).tolist()
        speeds = np.stack([rng.uniform(-1, 1, count) * speed[0], rng.uniform(0.6, 1.4, count) * speed[1]], 1).tolist()
        picked = [pictures[index] for index in rng.integers(len(pictures), size=count)]
        self._drops = list(zip(picked, starts, speeds, rng.random(count).tolist(), strict=True))
        self._gravity, self._life = gravity, life

    def put(self, canvas: Image.Image, stage: Stage, at: Point, time: float) -> None:
        """Paints the drops that come out of the place `at`."""
        for picture, start, speed, offset in self._drops:
            age = (time / self._life + offset) % 1.0 * self._life
            x = at[0] + start[0] + speed[0] * age
            y = at[1] + start[1] + speed[1] * age + 0.5 * self._gravity * age * age
            stage.put(canvas, picture, (x, y))


def dot(unit: float, size: float, color: Color, alpha: int = 255) -> Sprite:
    """A round drop with a radius of `size` frame sides."""
    sketch = Sketch(2 * size + 0.01, 2 * size + 0.01, unit)
    sketch.ellipse(0, 0, size, size, color, alpha)
    return Sprite(sketch.image())


def puffs(unit: float) -> list[Sprite]:
    """Steam, in three sizes."""
    pictures = []
    for size in (0.03, 0.045, 0.06):
        sketch = Sketch(2.4 * size, 2.4 * size, unit)
        for share in (1.0, 0.75, 0.5):
            sketch.ellipse(0, 0, size * share, size * share, (240, 240, 240), 45)
        pictures.append(Sprite(sketch.image()))
    return pictures
