"""The five places: their ground, what stands about, and their light."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from videobert_jax.kitchen import backdrop
from videobert_jax.kitchen.painting import Color, Sketch, Sprite, Stage, mix, shadowed, value_noise, varied

Size = tuple[int, int]
Point = tuple[float, float]


def ground(place: str, size: Size, unit: float, rng: np.random.Generator) -> Image.Image:
    """Returns the empty place, RGB of `size` pixels, at `unit` pixels per frame side."""
    return PLACES[place](size, unit, rng)


def light(place: str, size: Size, direction: float, rng: np.random.Generator) -> Image.Image:
    """Returns factors of red, green and blue (255: unchanged) for frames of `size` pixels."""
    picture = backdrop.lamp(size, direction, rng)
    if place != "campsite":
        return picture
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]))
    glow = np.clip(1.05 - 0.5 * (x**2 + y**2), 0.3, 1)[..., None] * (1.0, 0.95, 0.86)  # of a lantern
    return Image.fromarray((np.asarray(picture) * glow).astype(np.uint8))


def _coloured(color: Color, texture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.array(color) * texture[..., None], 0, 255).astype(np.uint8))


def _put(picture: Image.Image, sketch: Sketch, unit: float, at: Point, degrees: float = 0.0) -> None:
    """Puts a drawing with its shadow at a point in frame sides from the middle."""
    middle = Stage((picture.width / 2, picture.height / 2), unit, 0.0, False)
    middle.put(picture, Sprite(shadowed(sketch.image(), unit)), at, degrees)


def _rim(rng: np.random.Generator, count: int) -> list[Point]:
    """Points around the mat, in frame sides from the middle."""
    turns = np.linspace(0, 2 * math.pi, count, endpoint=False) + rng.uniform(-0.2, 0.2, count)
    reach = rng.uniform(0.92, 1.1, count)
    return list(zip((0.62 * reach * np.cos(turns)).tolist(), (0.45 * reach * np.sin(turns)).tolist(), strict=True))


def _kitchen(size: Size, unit: float, rng: np.random.Generator) -> Image.Image:
    picture = backdrop.backdrop(size, rng)
    side = rng.choice([-1, 1])
    for x in (0.5, 0.24):
        sketch = Sketch(0.26, 0.26, unit)  # a cooker's plate
        for radius, color in (
            (0.11, (196, 200, 206)),
            (0.095, (34, 34, 38)),
            (0.06, (62, 60, 64)),
            (0.03, (34, 34, 38)),
        ):
            sketch.ellipse(0, 0, radius, radius, color)
        _put(picture, sketch, unit, (side * x, -0.43))
    return picture


def _garden(size: Size, unit: float, rng: np.random.Generator) -> Image.Image:
    blades = rng.random((size[1] // 3 + 1, size[0]), np.float32).repeat(3, axis=0)[: size[1]]
    texture = 0.6 + 0.35 * value_noise(size, 7, rng) + 0.35 * blades
    picture = _coloured(varied((86, 160, 54), rng, 0.08), texture)
    for at in _rim(rng, 16):
        sketch = Sketch(0.14, 0.14, unit)
        petals: Color = ((250, 250, 250), (250, 130, 180), (250, 210, 60), (190, 120, 230))[rng.integers(4)]
        for angle in np.linspace(0, 2 * math.pi, 5, endpoint=False):
            sketch.ellipse(0.032 * math.cos(angle), 0.032 * math.sin(angle), 0.022, 0.022, petals)
        sketch.ellipse(0, 0, 0.016, 0.016, (230, 150, 20))
        _put(picture, sketch, unit, at, rng.uniform(0, 72))
    return picture


def _market(size: Size, unit: float, rng: np.random.Generator) -> Image.Image:
    width, height = size
    x, y = np.arange(width) / unit * 9 + rng.random(), np.arange(height) / unit * 9 + rng.random()
    x = x[None, :] + 0.5 * (y[:, None].astype(int) % 2)
    joints = np.where((x % 1 < 0.14) | (y[:, None] % 1 < 0.14), 0.55, 1.0)
    picture = _coloured(varied((150, 144, 140), rng, 0.08), joints * (0.8 + 0.4 * value_noise(size, 12, rng)))
    wide, stripe = width / unit, varied(((206, 48, 44), (40, 110, 180), (40, 140, 80))[rng.integers(3)], rng, 0.1)
    for place in (-0.47, 0.47):  # two awnings
        sketch = Sketch(wide, 0.16, unit)
        for number, left in enumerate(np.arange(-wide / 2, wide / 2, 0.09)):
            shade = stripe if number % 2 else (246, 242, 232)
            sketch.box(left + 0.045, 0, 0.045, 0.06, 0.0, shade)
            sketch.ellipse(left + 0.045, -0.06 * math.copysign(1, place), 0.045, 0.02, shade)
        _put(picture, sketch, unit, (0, place))
    for across in (-0.6, 0.6):  # price tags
        sketch = Sketch(0.14, 0.1, unit)
        sketch.box(0, 0, 0.055, 0.035, 0.006, (250, 246, 220))
        for row in (-0.012, 0.012):
            sketch.line([(-0.035, row), (0.035, row)], 0.009, (60, 50, 50))
        _put(picture, sketch, unit, (across, 0.3), rng.uniform(-20, 20))
    return picture


def _beach(size: Size, unit: float, rng: np.random.Generator) -> Image.Image:
    width, height = size
    texture = 0.86 + 0.14 * value_noise(size, 6, rng) + 0.1 * rng.random((height, width), np.float32)
    picture = _coloured(varied((240, 212, 150), rng, 0.05), texture)
    shore = height * rng.uniform(0.17, 0.22) + 3 * np.sin(np.arange(width) * rng.uniform(0.08, 0.14))
    depth = shore[None, :] - np.arange(height)[:, None]
    water = np.asarray(_coloured(varied((40, 150, 190), rng, 0.08), 0.85 + 0.3 * value_noise(size, 9, rng)))
    pixels = np.where((depth > 0)[..., None], water, np.asarray(picture))
    pixels = np.where((np.abs(depth) < 2)[..., None], np.uint8(248), pixels)  # foam
    picture = Image.fromarray(pixels.astype(np.uint8))
    for x, y in _rim(rng, 11):
        if y > -0.25:
            sketch = Sketch(0.16, 0.16, unit)
            shade = varied(((250, 150, 110), (250, 240, 230), (230, 110, 130))[rng.integers(3)], rng, 0.1)
            if rng.random() < 0.5:
                for angle in np.linspace(0, 2 * math.pi, 5, endpoint=False):  # a starfish
                    sketch.stroke([(0, 0), (0.05 * math.cos(angle), 0.05 * math.sin(angle))], 0.022, shade)
            else:
                sketch.ellipse(0, 0, 0.05, 0.04, shade)  # a shell
                for slope in (-0.03, -0.01, 0.01, 0.03):
                    sketch.line([(0, 0.035), (slope, -0.035)], 0.006, mix(shade, (90, 50, 40), 0.5))
            _put(picture, sketch, unit, (x, y), rng.uniform(0, 360))
    return picture


def _campsite(size: Size, unit: float, rng: np.random.Generator) -> Image.Image:
    texture = 0.6 + 0.6 * value_noise(size, 8, rng) + 0.15 * rng.random((size[1], size[0]), np.float32)
    picture = _coloured(varied((46, 58, 74), rng, 0.1), texture)
    for at in _rim(rng, 13):
        sketch = Sketch(0.18, 0.14, unit)
        shade = varied((112, 114, 124), rng, 0.2)
        sketch.ellipse(0, 0, rng.uniform(0.04, 0.065), rng.uniform(0.03, 0.045), shade)
        sketch.ellipse(-0.01, -0.012, 0.022, 0.012, mix(shade, (255, 255, 255), 0.3))
        _put(picture, sketch, unit, at, rng.uniform(-30, 30))
    side = float(rng.choice([-1, 1]))
    sketch = Sketch(0.5, 0.4, unit)  # a tent
    tent = varied((216, 120, 40), rng, 0.1)
    sketch.polygon([(-0.2, 0.14), (0, -0.16), (0.2, 0.14)], tent)
    sketch.polygon([(-0.06, 0.14), (0, -0.1), (0.06, 0.14)], mix(tent, (20, 10, 20), 0.75))
    _put(picture, sketch, unit, (side * 0.54, -0.36))
    return picture


PLACES: dict[str, Callable[[Size, float, np.random.Generator], Image.Image]] = {
    "kitchen": _kitchen,
    "garden": _garden,
    "market": _market,
    "beach": _beach,
    "campsite": _campsite,
}
