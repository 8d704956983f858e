"""The twelve kinds of food, painted with skin, flesh and cross-section.

Every painter draws the body with its longer axis horizontal, and the leaves or stems. The body repainted in the colour
of the flesh is the peeled version.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from videobert_jax.kitchen.painting import (
    Color,
    Sketch,
    Sprite,
    blob,
    mix,
    relief,
    shadowed,
)

Painter = Callable[[Sketch, np.random.Generator, Color], None]

WIDTH, HEIGHT = 0.50, 0.42  # of the picture of a whole object, frame sides
SLICE = 0.18  # side of the picture of a slice
LEAF: Color = (62, 138, 52)
DARK_LEAF: Color = (38, 98, 40)
STEM: Color = (110, 84, 48)


@dataclasses.dataclass(frozen=True)
class Kind:
    """The look of one kind of food."""

    body: Painter
    growth: Painter  # leaves and stems, over the body; its colour argument is the skin's
    skin: Color
    flesh: Color
    section: str  # the pattern of a slice
    gloss: float = 0.45
    rough: float = 0.0


@dataclasses.dataclass(frozen=True)
class Food:
    """One individual: its pictures, all of the same size and position, and its colours."""

    name: str
    whole: Image.Image  # RGBA, no shadow
    peeled: Image.Image  # the same silhouette without skin
    slice: Image.Image  # RGBA, one cross-section
    skin: Color
    flesh: Color
    unit: float  # pixels per frame side

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the painted area, pixels."""
        return self.whole.getbbox() or (0, 0, *self.whole.size)

    def sprite(self, scale: float = 1.0) -> Sprite:
        """The whole object with its shadow."""
        return Sprite(shadowed(resized(self.whole, scale), self.unit * max(scale, 0.6)))


def make_food(name: str, unit: float, light: float, rng: np.random.Generator) -> Food:
    """Paints one individual of the kind `name` at `unit` pixels per frame side, lit from `light` (radians)."""
    kind = KINDS[name]
    gains = (rng.uniform(0.86, 1.1) * rng.uniform(0.95, 1.05, 3)).tolist()
    stretch = rng.uniform(0.92, 1.08)
    shape = int(rng.integers(2**31))  # the same random shape for skin, flesh and growth

    def layer(painter: Painter, color: Color) -> Image.Image:
        sketch = Sketch(WIDTH, HEIGHT, unit)
        painter(sketch, np.random.default_rng(shape), color)
        return sketch.image()

    def finish(body: Image.Image, gloss: float) -> Image.Image:
        picture = relief(body, light, gloss, kind.rough, gains)
        picture.alpha_composite(relief(layer(kind.growth, kind.skin), light, 0.1))
        return picture.resize((round(picture.width * stretch), picture.height))

    body = layer(kind.body, kind.skin)
    flesh = Image.new("RGBA", body.size, kind.flesh)
    flesh.putalpha(body.getchannel("A"))
    flesh = Image.blend(flesh, body, 0.12)
    return Food(
        name=name,
        whole=finish(body, kind.gloss),
        peeled=finish(flesh, 0.15),
        slice=relief(_section(kind, unit, rng), light, 0.1, 0.1, gains),
        skin=_gained(kind.skin, gains),
        flesh=_gained(kind.flesh, gains),
        unit=unit,
    )


def resized(image: Image.Image, scale: float) -> Image.Image:
    """The picture, scaled."""
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _gained(color: Color, gains: Sequence[float]) -> Color:
    red, green, blue = (round(min(255.0, channel * gain)) for channel, gain in zip(color, gains, strict=True))
    return red, green, blue


def _section(kind: Kind, unit: float, rng: np.random.Generator) -> Image.Image:
    """A round slice: rind, flesh and the pattern inside."""
    sketch = Sketch(SLICE, SLICE, unit)
    radius = 0.44 * SLICE
    sketch.polygon(blob(0, 0, radius, radius, rng, 0.03), kind.skin)
    sketch.polygon(blob(0, 0, 0.86 * radius, 0.86 * radius, rng, 0.03), kind.flesh)
    dark = mix(kind.flesh, kind.skin, 0.45)
    turns = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 8, endpoint=False) + rng.uniform(0, 1)]
    if kind.section == "rings":
        for share in (0.72, 0.5, 0.28):
            sketch.ellipse(0, 0, share * radius, share * radius, dark)
            sketch.ellipse(0, 0, (share - 0.09) * radius, (share - 0.09) * radius, kind.flesh)
    elif kind.section == "core":
        sketch.ellipse(0, 0, 0.4 * radius, 0.4 * radius, dark)
    elif kind.section == "segments":
        for x, y in turns:
            sketch.line([(0, 0), (0.8 * radius * x, 0.8 * radius * y)], 0.012, (252, 250, 225))
    elif kind.section == "seeds":
        for x, y in turns:
            sketch.ellipse(
                0.5 * radius * x, 0.5 * radius * y, 0.1 * radius, 0.1 * radius, mix(dark, (250, 240, 200), 0.6)
            )
    elif kind.section == "hollow":
        sketch.ellipse(0, 0, 0.66 * radius, 0.66 * radius, mix(kind.skin, (60, 30, 10), 0.45))
        for x, y in turns[::2]:
            sketch.ellipse(0.25 * radius * x, 0.25 * radius * y, 0.09 * radius, 0.09 * radius, (250, 240, 205))
    elif kind.section == "holes":
        for x, y in turns[::2]:
            sketch.ellipse(0.5 * radius * x, 0.5 * radius * y, 0.16 * radius, 0.14 * radius, mix(kind.skin, STEM, 0.4))
    return sketch.image()


def _scatter(rng: np.random.Generator, count: int, rx: float, ry: float) -> list[tuple[float, float]]:
    """Random points in an ellipse around the origin."""
    angle, distance = rng.uniform(0, 2 * math.pi, count), np.sqrt(rng.random(count))
    return list(zip(rx * distance * np.cos(angle), ry * distance * np.sin(angle), strict=True))


def _nothing(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    """A food without leaves or stems."""


def _carrot(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    x = np.linspace(0, 1, 24)
    half = 0.068 * (1 - x) ** 0.55 * np.minimum(1, 0.55 + 4 * x)
    upper = list(zip(-0.13 + 0.34 * x, 0.01 - half, strict=True))
    sketch.polygon(upper + [(px, 0.02 - py) for px, py in reversed(upper)], color)
    for _ in range(9):
        at = rng.uniform(-0.11, 0.13)
        side, length = rng.choice([-1, 1]) * rng.uniform(0.0, 0.03), rng.uniform(0.012, 0.03)
        sketch.line([(at, side), (at + 0.004, side + length)], 0.005, mix(color, (120, 50, 5), 0.55))


def _carrot_leaves(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    for angle in np.linspace(-0.75, 0.75, 6) + rng.uniform(-0.08, 0.08, 6):
        reach = rng.uniform(0.08, 0.105)
        tip = (-0.125 - reach * math.cos(angle), 0.01 + reach * 1.2 * math.sin(angle))
        sketch.stroke([(-0.125, 0.01), tip], 0.018, LEAF if rng.random() < 0.5 else DARK_LEAF)
        sketch.ellipse(*tip, 0.017, 0.017, LEAF)


def _tomato(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.polygon(blob(0, 0.01, 0.168, 0.15, rng, 0.02), color)
    for x in (-0.075, 0.0, 0.075):
        sketch.line([(x * 0.3, -0.10), (x * 0.9, -0.05), (x * 1.3, 0.03)], 0.006, mix(color, (130, 10, 10), 0.4))


def _tomato_leaves(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    for angle in np.linspace(0, 2 * math.pi, 6, endpoint=False) + rng.uniform(0, 1):
        tip = (0.095 * math.cos(angle), -0.095 + 0.05 * math.sin(angle))
        across = (-0.014 * math.sin(angle), 0.014 * math.cos(angle))
        sketch.polygon([(across[0], -0.095 + across[1]), tip, (-across[0], -0.095 - across[1])], LEAF)
    sketch.stroke([(0, -0.095), (rng.uniform(-0.03, 0.03), -0.155)], 0.018, DARK_LEAF)


def _potato(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.polygon(blob(0, 0, 0.192, 0.128, rng, 0.07), color)
    for x, y in _scatter(rng, 40, 0.165, 0.10):
        sketch.ellipse(x, y, 0.004, 0.003, mix(color, (70, 40, 10), 0.55))
    for x, y in _scatter(rng, 6, 0.14, 0.085):
        sketch.ellipse(x, y, 0.017, 0.008, mix(color, (70, 40, 15), 0.7))
        sketch.ellipse(x, y + 0.006, 0.014, 0.005, mix(color, (255, 235, 190), 0.3))


def _onion(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.polygon([(-0.05, -0.09), (-0.014, -0.20), (0.014, -0.20), (0.05, -0.09)], mix(color, (225, 180, 120), 0.5))
    sketch.polygon(blob(0, 0.02, 0.162, 0.142, rng, 0.015), color)
    for bend in np.linspace(-0.17, 0.17, 9):
        shade = mix(color, (240, 190, 225), 0.5) if rng.random() < 0.5 else mix(color, (60, 0, 40), 0.45)
        sketch.line([(bend * 0.15, -0.13), (bend * 0.8, -0.06), (bend * 0.9, 0.03), (bend * 0.25, 0.155)], 0.006, shade)


def _onion_roots(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    for x in rng.uniform(-0.03, 0.03, 7):
        sketch.line([(x * 0.5, 0.15), (x * 1.6, 0.195)], 0.005, (215, 190, 140))


def _apple(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    for x in (-0.055, 0.055):
        sketch.ellipse(x, -0.005, 0.105, 0.125, color)
        sketch.ellipse(x * 0.7, 0.045, 0.09, 0.11, color)
    for _ in range(26):
        x, y = rng.uniform(0.03, 0.13), rng.uniform(-0.06, 0.08)
        sketch.line([(x, y), (x * 1.02, y + rng.uniform(0.02, 0.05))], 0.006, (205, 70, 45), 90)
    sketch.ellipse(0, -0.105, 0.045, 0.018, mix(color, (60, 70, 0), 0.6))


def _apple_stem(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.stroke([(0, -0.105), (0.02, -0.18)], 0.015, STEM)
    sketch.polygon(blob(0.075, -0.165, 0.055, 0.022, rng, 0.05), LEAF)
    sketch.line([(0.025, -0.165), (0.125, -0.165)], 0.005, DARK_LEAF)


def _cucumber(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.box(0, 0, 0.225, 0.066, 0.062, color)
    for y in np.linspace(-0.05, 0.05, 5) + rng.uniform(-0.004, 0.004, 5):
        sketch.line([(-0.19, y * 0.8), (0, y), (0.19, y * 0.8)], 0.007, mix(color, (170, 205, 110), 0.55))
    for x, y in _scatter(rng, 22, 0.2, 0.05):
        sketch.ellipse(x, y, 0.005, 0.005, mix(color, (200, 225, 150), 0.5))


def _cucumber_end(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.ellipse(0.214, 0, 0.012, 0.018, (190, 190, 110))


def _pepper(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    for x in (-0.088, 0.088, 0.0):
        taper = 0.9 if x else 1.0
        sketch.ellipse(x, 0.005, 0.082, 0.145 * taper, color)
        sketch.ellipse(x * 0.8, 0.07, 0.068, 0.10, color)
    for x in (-0.045, 0.045):
        sketch.line([(x * 0.6, -0.12), (x * 1.15, -0.03), (x, 0.13)], 0.012, mix(color, (150, 60, 0), 0.5))


def _pepper_stem(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.ellipse(0, -0.118, 0.062, 0.02, DARK_LEAF)
    sketch.stroke([(0, -0.12), (0.01, -0.165), (0.035, -0.185)], 0.03, LEAF)


def _mushroom(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.box(0, 0.09, 0.058, 0.095, 0.045, (238, 226, 205))
    sketch.ellipse(0, 0.0, 0.175, 0.045, (150, 118, 92))
    angles = np.linspace(math.pi, 2 * math.pi, 30)
    sketch.polygon([(0.182 * math.cos(a), 0.005 + 0.16 * math.sin(a)) for a in angles], color)
    for x, y in _scatter(rng, 7, 0.12, 0.05):
        sketch.ellipse(x, y - 0.075, 0.014, 0.01, mix(color, (255, 245, 225), 0.5))


def _cheese(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.polygon([(-0.2, 0.0), (0.14, -0.13), (0.2, -0.03)], mix(color, (255, 245, 190), 0.5))
    sketch.polygon([(-0.2, 0.0), (0.2, -0.03), (0.2, 0.12), (-0.2, 0.13)], color)
    sketch.line([(-0.2, 0.0), (0.2, -0.03)], 0.006, mix(color, (255, 255, 220), 0.8))
    for x, y, size in ((-0.11, 0.065, 0.028), (0.02, 0.04, 0.02), (0.07, 0.085, 0.026), (0.15, 0.025, 0.022)):
        sketch.ellipse(x + rng.uniform(-0.02, 0.02), y, size, size * 0.8, mix(color, (150, 90, 10), 0.55))
    for x, y in ((0.09, -0.075), (0.02, -0.04)):
        sketch.ellipse(x, y, 0.022, 0.011, mix(color, (160, 110, 30), 0.4))


def _lemon(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.ellipse(-0.165, 0, 0.028, 0.024, color)
    sketch.ellipse(0.165, 0, 0.034, 0.026, color)
    sketch.polygon(blob(0, 0, 0.165, 0.118, rng, 0.015), color)
    for x, y in _scatter(rng, 60, 0.15, 0.10):
        sketch.ellipse(x, y, 0.004, 0.004, mix(color, (200, 150, 0), 0.4))


def _eggplant(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    x = np.linspace(0, 1, 30)
    half = (0.056 + 0.05 * x**1.4) * np.sqrt(np.clip(1 - ((x - 0.5) * 2) ** 6, 0, 1))
    bend = 0.05 * (x - 0.5) ** 2
    upper = list(zip(-0.16 + 0.375 * x, bend - half, strict=True))
    lower = list(zip(-0.16 + 0.375 * x, bend + half, strict=True))
    sketch.polygon(upper + lower[::-1], color)
    sketch.line([(-0.08, -0.03), (0.04, -0.055), (0.14, -0.06)], 0.014, mix(color, (200, 170, 225), 0.5))


def _eggplant_cap(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    sketch.ellipse(-0.155, 0.012, 0.03, 0.055, LEAF)
    for y in (-0.035, 0.0, 0.035):
        sketch.polygon([(-0.155, y - 0.008), (-0.085, y * 1.3 + 0.012), (-0.155, y + 0.03)], LEAF)
    sketch.stroke([(-0.165, 0.012), (-0.225, rng.uniform(-0.03, 0.02))], 0.026, DARK_LEAF)


def _bread(sketch: Sketch, rng: np.random.Generator, color: Color) -> None:
    crumb = (242, 220, 172)
    for shrink, shade in ((0.0, color), (0.022, crumb)):
        sketch.box(0, 0.05, 0.15 - shrink, 0.135 - shrink, 0.03, shade)
        sketch.box(0, -0.075, 0.178 - shrink, 0.082 - shrink, 0.075 - shrink, shade)
    for x, y in _scatter(rng, 45, 0.125, 0.13):
        sketch.ellipse(x, y, rng.uniform(0.003, 0.009), rng.uniform(0.003, 0.009), mix(crumb, color, 0.4))


KINDS: dict[str, Kind] = {
    "carrot": Kind(_carrot, _carrot_leaves, (238, 116, 28), (250, 160, 75), "core"),
    "tomato": Kind(_tomato, _tomato_leaves, (216, 38, 30), (240, 110, 85), "seeds", gloss=0.8),
    "potato": Kind(_potato, _nothing, (176, 134, 84), (246, 228, 160), "plain", gloss=0.1, rough=0.3),
    "onion": Kind(_onion, _onion_roots, (148, 44, 100), (246, 228, 240), "rings"),
    "apple": Kind(_apple, _apple_stem, (150, 196, 58), (250, 242, 205), "core", gloss=0.7),
    "cucumber": Kind(_cucumber, _cucumber_end, (38, 100, 44), (196, 222, 150), "seeds"),
    "pepper": Kind(_pepper, _pepper_stem, (246, 158, 14), (252, 205, 90), "hollow", gloss=0.9),
    "mushroom": Kind(_mushroom, _nothing, (168, 118, 80), (245, 232, 212), "plain", gloss=0.15, rough=0.15),
    "cheese": Kind(_cheese, _nothing, (246, 196, 62), (255, 232, 150), "holes", gloss=0.1),
    "lemon": Kind(_lemon, _nothing, (250, 224, 40), (252, 240, 170), "segments", rough=0.1),
    "eggplant": Kind(_eggplant, _eggplant_cap, (66, 24, 78), (232, 224, 190), "seeds", gloss=0.9),
    "bread": Kind(_bread, _nothing, (164, 98, 42), (246, 226, 184), "plain", gloss=0.05, rough=0.25),
}

OBJECTS: tuple[str, ...] = tuple(KINDS)
