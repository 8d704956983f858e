"""Unsafe acts as pictures, painted over a step. `utensils.holding` paints fingers under the blade."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from videobert_jax.kitchen import tools
from videobert_jax.kitchen.applications.plan import FIRE, GLASS, KNIFE, KNIFE_FALLS
from videobert_jax.kitchen.painting import Color, Sketch, Sprite, Stage
from videobert_jax.kitchen.tools import Look

Paint = Callable[[Image.Image, Stage, float], None]  # at a time, seconds after the act has begun

CRASH = 0.5  # seconds until a falling glass breaks
FLAME: tuple[Color, Color, Color] = ((226, 60, 16), (255, 140, 24), (255, 236, 110))


def _fire(look: Look, rng: np.random.Generator) -> Paint:
    """Flames out of the pan."""
    flames = [_flames(look.unit, rng) for _ in range(5)]
    return lambda canvas, stage, time: stage.put(canvas, flames[int(time * 10) % 5], (-0.04, -0.12))


def _flames(unit: float, rng: np.random.Generator) -> Sprite:
    sketch = Sketch(0.8, 0.8, unit)
    for share, color in zip((1.0, 0.7, 0.4), FLAME, strict=True):
        for x in np.linspace(-0.2, 0.2, 5).tolist():
            tall, wide = rng.uniform(0.28, 0.46) * share, rng.uniform(0.09, 0.12) * share
            lean, foot = rng.uniform(-0.06, 0.06), 0.26
            sketch.polygon(
                [(x - wide, foot), (x - 0.8 * wide, foot - 0.35 * tall), (x + lean, foot - tall),
                 (x + 0.8 * wide, foot - 0.35 * tall), (x + wide, foot)], color, 235)  # fmt: skip
            sketch.ellipse(x, foot, wide, 0.3 * wide, color, 235)
    return Sprite(sketch.image())


def _knife(look: Look, rng: np.random.Generator) -> Paint:
    """A knife, near to the camera, turns over and over as it falls through the picture, first slowly."""
    near = dataclasses.replace(look, unit=1.5 * look.unit)
    knife, side, spin = tools.knife(near, rng, held=False), rng.uniform(0.1, 0.3), rng.choice([-1, 1]) * 400
    away = rng.uniform(0.1, 0.25)

    def paint(canvas: Image.Image, stage: Stage, time: float) -> None:
        share = time / KNIFE_FALLS
        stage.put(canvas, knife.sprite, (side - away * share, -0.5 + 1.15 * share**1.3), spin * time)

    return paint


def _glass(look: Look, rng: np.random.Generator) -> Paint:
    """A glass falls and breaks into shards, which stay."""
    sketch = Sketch(0.26, 0.34, look.unit)
    for inset, alpha in ((0.0, 190), (0.02, 120)):
        sketch.polygon(
            [(-0.1 + inset, -0.14 + inset), (0.1 - inset, -0.14 + inset), (0.075 - inset, 0.14 - inset),
             (-0.075 + inset, 0.14 - inset)], (206, 240, 250), alpha)  # fmt: skip
    sketch.line([(-0.1, -0.14), (0.1, -0.14)], 0.014, (255, 255, 255))
    whole, shards = Sprite(sketch.image()), _shards(look.unit, rng)
    at = (-0.2, 0.18)

    def paint(canvas: Image.Image, stage: Stage, time: float) -> None:
        if time < CRASH:
            stage.put(canvas, whole, (at[0], at[1] - 0.6 * (1 - (time / CRASH) ** 2)), 150 * time)
        else:
            stage.put(canvas, shards[0 if time < CRASH + 0.1 else 1], at)

    return paint


def _shards(unit: float, rng: np.random.Generator) -> list[Sprite]:
    """The shards as they burst apart, and as they lie."""
    count = 26
    turns, reach = rng.uniform(0, 2 * math.pi, count), 0.05 + 0.25 * np.sqrt(rng.random(count))
    corners = np.sort(rng.uniform(0, 2 * math.pi, (count, 3)), axis=1)
    sizes = rng.uniform(0.06, 0.11, count)
    pictures = []
    for spread in (0.5, 1.0):
        sketch = Sketch(0.9, 0.8, unit)
        for turn, far, angles, size in zip(
            turns.tolist(), reach.tolist(), corners.tolist(), sizes.tolist(), strict=True
        ):
            x, y = spread * far * math.cos(turn), 0.8 * spread * far * math.sin(turn)
            shard = [(x + size * math.cos(angle), y + size * math.sin(angle)) for angle in angles]
            sketch.polygon(shard, (214, 244, 252), 225)
            sketch.line([*shard, shard[0]], 0.009, (250, 255, 255))
            sketch.line(shard[:2], 0.009, (70, 120, 140))
        pictures.append(Sprite(sketch.image()))
    return pictures


PAINTERS: dict[str, Callable[[Look, np.random.Generator], Paint]] = {FIRE: _fire, KNIFE: _knife, GLASS: _glass}
