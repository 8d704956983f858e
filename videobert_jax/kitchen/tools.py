"""Painted tools, the hand that holds them, and vessels.

Each tool has a known working point, which actions position.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from videobert_jax.kitchen.painting import Color, Point, Sketch, Sprite, mix, relief, shadowed, varied

ARM_DEGREES = 30
STEEL: Color = (188, 194, 202)
DARK_STEEL: Color = (112, 118, 128)
WOOD: Color = (176, 124, 72)
SKIN_TONES: tuple[Color, ...] = ((244, 208, 178), (222, 172, 132), (176, 120, 82), (112, 74, 52))
BRIGHT: tuple[Color, ...] = (
    (206, 52, 48), (46, 106, 178), (58, 140, 88), (240, 188, 52), (34, 36, 42), (232, 230, 222), (126, 74, 150),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Look:
    """The colours and the light shared by the tools of one step."""

    unit: float  # pixels per frame side
    light: float  # direction of the light, radians
    skin: Color  # of the hand
    sleeve: Color
    handle: Color  # of tools
    metal: Color


@dataclasses.dataclass(frozen=True)
class Tool:
    """A painted tool. `anchor` is its working point, in frame sides from the centre of the picture."""

    sprite: Sprite
    anchor: Point


def make_look(unit: float, light: float, rng: np.random.Generator) -> Look:
    """Draws random colours for `unit` pixels per frame side, lit from `light` (radians)."""
    handles = (*BRIGHT, WOOD, WOOD, mix(WOOD, (40, 24, 12), 0.5))
    return Look(
        unit=unit,
        light=light,
        skin=varied(SKIN_TONES[rng.integers(len(SKIN_TONES))], rng, 0.06),
        sleeve=varied(BRIGHT[rng.integers(len(BRIGHT))], rng, 0.3),
        handle=varied(handles[rng.integers(len(handles))], rng, 0.2),
        metal=varied(STEEL, rng, 0.12),
    )


def finish(sketch: Sketch, look: Look, gloss: float, anchor: Point) -> Tool:
    """Shades a drawing and puts it over its shadow."""
    return Tool(Sprite(shadowed(relief(sketch.image(), look.light, gloss), look.unit, 0.35)), anchor)


def fist(sketch: Sketch, look: Look, at: Point, towards: Point) -> None:
    """Draws a fist at `at` and a forearm in the direction `towards`."""
    (x, y), (dx, dy) = at, towards
    length = math.hypot(dx, dy)
    dx, dy = dx / length, dy / length
    sketch.stroke([(x, y), (x + 0.10 * dx, y + 0.10 * dy)], 0.075, look.skin)
    sketch.stroke([(x + 0.12 * dx, y + 0.12 * dy), (x + 0.6 * dx, y + 0.6 * dy)], 0.105, look.sleeve)
    sketch.ellipse(x, y, 0.052, 0.048, look.skin)
    for finger in (-0.033, -0.011, 0.011, 0.033):
        fx, fy = x - finger * dy - 0.022 * dx, y + finger * dx - 0.022 * dy
        sketch.ellipse(fx, fy, 0.024, 0.019, mix(look.skin, (90, 40, 20), 0.14))
        sketch.ellipse(fx - 0.004 * dx, fy - 0.004 * dy, 0.019, 0.015, look.skin)


def knife(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A knife that points left; the working point is the middle of its edge."""
    sketch = Sketch(1.0 if held else 0.56, 0.34, look.unit)
    depth = rng.uniform(0.045, 0.075)
    tip = rng.uniform(-0.27, -0.22)
    sketch.polygon([(tip, depth - 0.01), (tip + 0.07, -0.03), (0.04, -0.03), (0.04, depth - 0.005)], look.metal)
    sketch.polygon([(tip, depth - 0.01), (0.04, depth - 0.02), (0.04, depth)], mix(look.metal, (255, 255, 255), 0.6))
    sketch.stroke([(0.05, -0.01), (0.22, -0.01)], 0.042, look.handle)
    for x in (0.08, 0.14, 0.2):
        sketch.ellipse(x, -0.01, 0.007, 0.007, look.metal)
    if held:
        fist(sketch, look, (0.14, -0.01), (1.0, -0.12))
    return finish(sketch, look, 0.5, (-0.10, depth - 0.01))


def jug(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A jug with its lip at the top left; it pours when turned counter-clockwise."""
    sketch = Sketch(1.0 if held else 0.42, 0.46, look.unit)
    body = mix(look.handle, (235, 240, 245), rng.uniform(0.2, 0.8))
    wide, tall = rng.uniform(0.09, 0.12), rng.uniform(0.14, 0.18)
    for width, shade in ((0.034, look.handle), (0.012, mix(look.handle, (0, 0, 0), 0.3))):
        sketch.line(
            [(wide * 0.8, -tall * 0.7), (wide + 0.07, -tall * 0.5), (wide + 0.06, 0.03), (wide, 0.08)], width, shade
        )
    sketch.polygon([(-wide * 0.8, -tall), (wide * 0.8, -tall), (wide, 0.13), (-wide, 0.13)], body)
    sketch.ellipse(0, 0.13, wide, 0.035, body)
    sketch.polygon([(-wide * 0.8, -tall - 0.004), (-wide - 0.045, -tall - 0.012), (-wide * 0.85, -tall + 0.07)], body)
    sketch.ellipse(0, -tall, wide * 0.8, 0.026, mix(body, (40, 40, 50), 0.55))
    sketch.line([(-wide * 0.95, 0.05), (wide * 0.95, 0.05)], 0.014, look.handle)
    if held:
        fist(sketch, look, (wide + 0.06, -0.03), (1.0, -0.25))
    return finish(sketch, look, 0.6, (-wide - 0.035, -tall))


def bottle(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A bottle with its mouth at the top."""
    sketch = Sketch(1.0 if held else 0.3, 0.56, look.unit)
    glass = mix(look.handle, (70, 120, 70), rng.uniform(0.2, 0.8))
    wide = rng.uniform(0.055, 0.075)
    sketch.box(0, 0.08, wide, 0.16, 0.025, glass)
    sketch.polygon([(-wide, -0.06), (-0.024, -0.14), (0.024, -0.14), (wide, -0.06)], glass)
    sketch.box(0, -0.18, 0.022, 0.065, 0.008, glass)
    sketch.box(0, -0.235, 0.027, 0.014, 0.004, look.metal)
    sketch.box(0, 0.09, wide, 0.07, 0.0, (238, 232, 214))
    sketch.box(0, 0.09, wide, 0.022, 0.0, look.handle)
    if held:
        fist(sketch, look, (wide, 0.03), (1.0, 0.1))
    return finish(sketch, look, 0.7, (0.0, -0.24))


def spoon(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """An upright spoon; the working point is its bowl, at the bottom."""
    sketch = Sketch(0.4 if held else 0.2, 1.0 if held else 0.56, look.unit)
    shade = look.handle if rng.random() < 0.7 else look.metal
    size = rng.uniform(0.042, 0.058)
    sketch.stroke([(0, 0.12), (0, -0.22)], rng.uniform(0.024, 0.034), shade)
    sketch.ellipse(0, 0.18, size, size * 1.35, shade)
    sketch.ellipse(0, 0.185, size * 0.68, size, mix(shade, (20, 10, 0), 0.3))
    if held:
        fist(sketch, look, (0, -0.18), (0.15, -1.0))
    return finish(sketch, look, 0.4, (0.0, 0.18))


def peeler(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A peeler with its blade across the left end."""
    sketch = Sketch(1.0 if held else 0.42, 0.3, look.unit)
    half = rng.uniform(0.045, 0.06)
    for side in (-half, half):
        sketch.line([(0.05, 0), (0.0, side), (-0.07, side)], 0.02, look.handle)
    sketch.stroke([(0.05, 0), (0.2, 0)], 0.044, look.handle)
    sketch.box(-0.065, 0, 0.014, half + 0.008, 0.004, look.metal)
    sketch.line([(-0.065, -half), (-0.065, half)], 0.007, DARK_STEEL)
    if held:
        fist(sketch, look, (0.14, 0), (1.0, 0.15))
    return finish(sketch, look, 0.5, (-0.065, 0.0))


def masher(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """An upright potato masher; the working point is the plate at its lower end."""
    sketch = Sketch(0.4, 1.0 if held else 0.56, look.unit)
    half = rng.uniform(0.10, 0.13)
    for side in (-1, 1):
        sketch.line([(0.012 * side, -0.06), (0.02 * side, 0.04), (half * 0.8 * side, 0.08), (half * 0.85 * side, 0.18)],
                    0.018, look.metal)  # fmt: skip
    sketch.stroke([(0, -0.05), (0, -0.24)], 0.046, look.handle)
    sketch.box(0, 0.185, half, 0.03, 0.012, look.metal)
    for x in np.linspace(-half * 0.75, half * 0.75, 5):
        sketch.box(x, 0.185, half * 0.1, 0.017, 0.006, mix(look.metal, (30, 30, 36), 0.75))
    if held:
        fist(sketch, look, (0, -0.19), (0.1, -1.0))
    return finish(sketch, look, 0.6, (0.0, 0.2))


def pan(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A frying pan seen from above, with its handle to the right."""
    radius = 0.30 if held else 0.17
    reach = radius + (0.24 if held else 0.18)
    sketch = Sketch(2 * (0.75 if held else 0.36), 0.64 if held else 0.38, look.unit)
    iron = varied((62, 62, 68), rng, 0.25)
    sketch.stroke([(radius, 0), (reach, 0.0)], 0.055, look.handle)
    sketch.ellipse(0, 0, radius, radius, mix(iron, STEEL, 0.55))
    sketch.ellipse(0, 0, radius * 0.94, radius * 0.94, iron)
    sketch.ellipse(0, 0, radius * 0.82, radius * 0.82, mix(iron, (120, 92, 40), 0.25))
    sketch.ellipse(-0.05, -0.06, radius * 0.5, radius * 0.42, mix(iron, (200, 160, 80), 0.22))
    if held:
        fist(sketch, look, (reach - 0.04, 0), (1.0, 0.1))
    return Tool(Sprite(shadowed(sketch.image(), look.unit)), (0.0, 0.0))


def grater(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A standing box grater, without a hand."""
    tall = 0.27 if held else 0.16
    sketch = Sketch(0.46, 2 * tall + 0.16, look.unit)
    top, foot = 0.55 * tall, 0.78 * tall
    for width, shade in ((0.03, look.handle), (0.012, mix(look.handle, (255, 255, 255), 0.3))):
        sketch.line(
            [(-top * 0.6, -tall), (-top * 0.5, -tall - 0.05), (top * 0.5, -tall - 0.05), (top * 0.6, -tall)],
            width,
            shade,
        )
    sketch.polygon([(-top, -tall), (top, -tall), (foot, tall), (-foot, tall)], look.metal)
    sketch.polygon([(top, -tall), (top + 0.04, -tall + 0.02), (foot + 0.05, tall - 0.03), (foot, tall)], DARK_STEEL)
    for row in np.linspace(-0.8, 0.72, 8):
        for column in np.linspace(-0.72, 0.72, 5):
            x = column * (top + (foot - top) * (row + 1) / 2)
            sketch.ellipse(x, row * tall, 0.016, 0.012, mix(look.metal, (255, 255, 255), 0.7))
            sketch.ellipse(x, row * tall + 0.005, 0.013, 0.009, (52, 54, 62))
    sketch.box(0, tall, foot, 0.014, 0.004, look.handle)
    return finish(sketch, look, 0.4, (0.0, 0.0))


MakeTool = Callable[[Look, np.random.Generator, bool], Tool]  # the last argument: whether a hand holds it

TOOLS: dict[str, MakeTool] = {
    "knife": knife, "jug": jug, "bottle": bottle, "spoon": spoon, "peeler": peeler, "masher": masher, "pan": pan,
    "grater": grater,
}  # fmt: skip


def hand(look: Look) -> Sprite:
    """A bare hand: its fist is at the centre, its arm points `ARM_DEGREES` downwards to the right."""
    sketch = Sketch(1.3, 1.0, look.unit)
    fist(sketch, look, (0, 0), (1.0, math.tan(math.radians(ARM_DEGREES))))
    return Sprite(shadowed(relief(sketch.image(), look.light, 0.1), look.unit, 0.35))


def board(look: Look, rng: np.random.Generator) -> Sprite:
    """A cutting board of wood, plastic or slate."""
    sketch = Sketch(0.78, 0.56, look.unit)
    rx, ry = rng.uniform(0.30, 0.37), rng.uniform(0.2, 0.26)
    shade = varied(
        ((206, 160, 104), (150, 98, 56), (236, 234, 226), (96, 158, 110), (70, 74, 80))[rng.integers(5)], rng
    )
    sketch.box(0, 0.012, rx, ry, 0.03, mix(shade, (0, 0, 0), 0.35))
    sketch.box(0, 0, rx, ry, 0.03, shade)
    for y in rng.uniform(-ry * 0.9, ry * 0.9, 9):
        sketch.line(
            [(-rx * 0.97, y), (0, y + rng.uniform(-0.01, 0.01)), (rx * 0.97, y)], 0.006, mix(shade, (0, 0, 0), 0.12)
        )
    sketch.ellipse(rx - 0.035, 0, 0.014, 0.014, mix(shade, (0, 0, 0), 0.6))
    return Sprite(shadowed(sketch.image(), look.unit))


def plate(look: Look, rng: np.random.Generator, ry_share: float = 0.62) -> Sprite:
    """A round plate, seen at an angle."""
    sketch = Sketch(0.78, 0.78 * ry_share + 0.06, look.unit)
    shade = varied(((244, 242, 236), (226, 232, 240), (240, 222, 196), (96, 116, 150))[rng.integers(4)], rng, 0.06)
    rx = rng.uniform(0.30, 0.37)
    for share, color in ((1.0, mix(shade, (0, 0, 0), 0.18)), (0.96, shade), (0.7, mix(shade, look.handle, 0.25)),
                         (0.67, mix(shade, (0, 0, 0), 0.06))):  # fmt: skip
        sketch.ellipse(0, 0, rx * share, rx * share * ry_share, color)
    return Sprite(shadowed(sketch.image(), look.unit))


def bowl(look: Look, rng: np.random.Generator, liquid: Color) -> Sprite:
    """A mixing bowl full of liquid, seen from above."""
    sketch = Sketch(0.76, 0.76, look.unit)
    shade = varied(((238, 236, 230), STEEL, look.handle)[rng.integers(3)], rng, 0.1)
    for radius, color in ((0.34, mix(shade, (0, 0, 0), 0.3)), (0.335, shade), (0.305, mix(shade, (0, 0, 0), 0.35)),
                          (0.285, liquid)):  # fmt: skip
        sketch.ellipse(0, 0, radius, radius, color)
    return Sprite(shadowed(sketch.image(), look.unit))


def sink(look: Look, rng: np.random.Generator) -> Sprite:
    """A steel or enamel basin with a drain and shallow water."""
    sketch = Sketch(1.1, 0.86, look.unit)
    shade = varied((look.metal, (236, 238, 240), (206, 196, 184))[rng.integers(3)], rng, 0.08)
    rx, ry = rng.uniform(0.42, 0.5), rng.uniform(0.34, 0.4)
    sketch.box(0, 0, rx, ry, 0.09, mix(shade, (255, 255, 255), 0.35))
    sketch.box(0, 0.008, rx - 0.025, ry - 0.025, 0.075, mix(shade, (20, 30, 40), 0.42))
    sketch.box(0, 0.03, rx - 0.05, ry - 0.055, 0.065, mix(shade, (70, 120, 150), 0.35))
    sketch.ellipse(0.0, ry - 0.14, 0.05, 0.035, mix(shade, (0, 0, 0), 0.6))
    return Sprite(sketch.image())


def tap(look: Look, rng: np.random.Generator) -> Tool:
    """A tap that comes from above; the working point is its mouth."""
    sketch = Sketch(0.5, 0.62, look.unit)
    reach = rng.uniform(0.12, 0.17)
    for width, shade in ((0.08, DARK_STEEL), (0.062, look.metal), (0.018, mix(look.metal, (255, 255, 255), 0.8))):
        sketch.line([(reach, -0.31), (reach, -0.02), (reach * 0.7, 0.05), (0.0, 0.06), (-0.02, 0.12)], width, shade)
    sketch.box(-0.02, 0.13, 0.048, 0.02, 0.008, DARK_STEEL)
    sketch.stroke([(reach - 0.03, -0.14), (reach + 0.08, -0.17)], 0.03, look.handle)
    return finish(sketch, look, 0.6, (-0.02, 0.15))
