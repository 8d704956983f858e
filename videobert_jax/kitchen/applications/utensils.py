"""What this corpus adds to the tools of the first: cleaver, whisk, fork, mats, cups, eggs, and a second hand."""

import functools
import math

import numpy as np
from PIL import Image

from videobert_jax.kitchen import tools
from videobert_jax.kitchen.actions import ACTIONS
from videobert_jax.kitchen.applications.plan import Step
from videobert_jax.kitchen.blades import UnderBlade, cut
from videobert_jax.kitchen.motion import Action, Clock
from videobert_jax.kitchen.objects import Food
from videobert_jax.kitchen.painting import Color, Sketch, Sprite, Stage, mix, relief, shadowed, varied
from videobert_jax.kitchen.tools import Look, Tool, finish, fist
from videobert_jax.kitchen.vessels import fry, mash, pour, stir

PAINTS: dict[str, Color] = {
    "red": (206, 40, 38),
    "blue": (44, 92, 196),
    "green": (44, 142, 66),
    "yellow": (246, 204, 44),
    "white": (240, 238, 232),
    "purple": (132, 66, 170),
}
WHITE: Color = (255, 255, 255)


def make_action(
    step: Step, food: Food, look: Look, rng: np.random.Generator, under: UnderBlade | None = None
) -> Action:
    """Returns the action of the step, done with the step's tool; `under` is for cutting only."""
    clock = Clock(step.end - step.start, ACTIONS[step.verb].period * rng.uniform(0.7, 1.4), rng.uniform(0, 2 * math.pi))
    makers = {
        "knife": functools.partial(cut, under=under),
        "cleaver": functools.partial(cut, blade=cleaver, under=under),
        "jug": functools.partial(pour, vessel_name="jug"),
        "bottle": functools.partial(pour, vessel_name="bottle"),
        "pan": functools.partial(fry, skillet=pan),
        "whisk": functools.partial(stir, stirrer=whisk),
        "fork": functools.partial(mash, presser=fork),
    }
    return makers.get(step.tool, ACTIONS[step.verb].make)(food, look, clock, rng)


def cleaver(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """A broad rectangular blade that points left; the working point is the middle of its edge."""
    sketch = Sketch(1.0 if held else 0.56, 0.5, look.unit)
    depth, steel = rng.uniform(0.12, 0.15), mix(look.metal, (70, 78, 92), 0.5)
    sketch.box(-0.11, depth / 2 - 0.04, 0.15, depth / 2 + 0.04, 0.012, steel)
    sketch.box(-0.11, depth - 0.012, 0.15, 0.014, 0.004, mix(look.metal, WHITE, 0.8))
    sketch.ellipse(-0.215, -0.045, 0.018, 0.018, (40, 40, 46))
    sketch.stroke([(0.05, -0.02), (0.22, -0.02)], 0.05, look.handle)
    if held:
        fist(sketch, look, (0.14, -0.02), (1.0, -0.12))
    return finish(sketch, look, 0.3, (-0.10, depth - 0.01))


def whisk(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """An upright wire whisk; the working point is its lower end."""
    sketch = Sketch(0.4 if held else 0.3, 1.0 if held else 0.6, look.unit)
    wide = rng.uniform(0.075, 0.095)
    turns = np.linspace(0, math.pi, 15)
    for share in (1.0, 0.55, 0.12):
        wire = [(wide * share * math.cos(a) * math.sin(a) ** 0.35, -0.02 + 0.24 * math.sin(a)) for a in turns.tolist()]
        sketch.line(wire, 0.02, tools.DARK_STEEL)
        sketch.line(wire, 0.01, mix(look.metal, WHITE, 0.6))
    sketch.stroke([(0, -0.02), (0, -0.24)], 0.046, look.handle)
    if held:
        fist(sketch, look, (0, -0.18), (0.15, -1.0))
    return finish(sketch, look, 0.4, (0.0, 0.19))


def fork(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """An upright fork with four tines; the working point is their lower ends."""
    sketch = Sketch(0.4 if held else 0.2, 1.0 if held else 0.56, look.unit)
    wide = rng.uniform(0.055, 0.07)
    sketch.stroke([(0, 0.03), (0, -0.24)], 0.032, look.metal)
    sketch.box(0, 0.05, wide, 0.028, 0.02, look.metal)
    for x in np.linspace(-wide * 0.85, wide * 0.85, 4).tolist():
        sketch.stroke([(x, 0.06), (x, 0.19)], 0.02, look.metal)
    if held:
        fist(sketch, look, (0, -0.19), (0.1, -1.0))
    return finish(sketch, look, 0.6, (0.0, 0.2))


def pan(look: Look, rng: np.random.Generator, held: bool) -> Tool:
    """The pan of the first corpus with a longer arm, so that the sleeve is visible."""
    picture = tools.pan(look, rng, held).sprite.image
    sketch = Sketch(2.3, 0.8, look.unit)
    if held:
        sketch.stroke([(0.62, 0.012), (1.1, 0.06)], 0.105, look.sleeve)
    arm = shadowed(sketch.image(), look.unit)
    arm.alpha_composite(picture, ((arm.width - picture.width) // 2, (arm.height - picture.height) // 2))
    return Tool(Sprite(arm), (0.0, 0.0))


def mat(unit: float, color: str, rng: np.random.Generator) -> Sprite:
    """The cloth under the work."""
    sketch = Sketch(1.04, 0.92, unit)
    shade = varied(PAINTS[color], rng, 0.06)
    sketch.box(0, 0, 0.48, 0.41, 0.03, mix(shade, (0, 0, 0), 0.25))
    sketch.box(0, 0, 0.465, 0.395, 0.025, shade)
    for share in (0.92, 0.88):
        sketch.box(0, 0, 0.465 * share, 0.395 * share, 0.02, mix(shade, WHITE if share > 0.9 else shade, 0.25))
    return Sprite(shadowed(sketch.image(), unit))


def item(kind: str, unit: float, light: float, rng: np.random.Generator) -> Sprite:
    """A cup of tea seen from above, or an egg."""
    sketch = Sketch(0.24, 0.2, unit)
    if kind == "cup":
        china = varied((250, 248, 244), rng, 0.03)
        sketch.line([(0.05, -0.03), (0.095, -0.02), (0.095, 0.02), (0.05, 0.03)], 0.02, china)
        for radius, shade in ((0.07, mix(china, (0, 0, 0), 0.35)), (0.066, china), (0.05, (112, 56, 20))):
            sketch.ellipse(0, 0, radius, radius, shade)
        return Sprite(shadowed(sketch.image(), unit))
    shell = varied((236, 196, 150), rng, 0.06)
    sketch.ellipse(0, 0, 0.076, 0.056, shell)
    return Sprite(shadowed(relief(sketch.image(), light, 0.5), unit))


def flat_hand(look: Look) -> Sprite:
    """A left hand with stretched fingers that point right; their tips are at the centre. The arm comes from below."""
    sketch = Sketch(1.0, 1.6, look.unit)
    sketch.stroke([(-0.2, 0.13), (-0.3, 0.75)], 0.11, look.sleeve)
    sketch.stroke([(-0.17, 0.02), (-0.195, 0.1)], 0.09, look.skin)
    dark = mix(look.skin, (90, 40, 20), 0.3)
    for y, tip in ((-0.045, -0.03), (-0.015, 0.0), (0.015, -0.005), (0.045, -0.04)):
        sketch.stroke([(-0.15, y * 0.9), (tip, y)], 0.034, dark)
        sketch.stroke([(-0.15, y * 0.9), (tip - 0.004, y - 0.003)], 0.025, look.skin)
    sketch.ellipse(-0.17, 0.005, 0.065, 0.058, look.skin)
    return Sprite(shadowed(relief(sketch.image(), look.light, 0.1), look.unit, 0.35))


def holding(look: Look, danger: tuple[float, float] | None) -> UnderBlade:
    """A hand that holds the object well away from the knife; in the seconds of `danger`, its fingers are under it."""
    hand = flat_hand(look)

    def under(canvas: Image.Image, stage: Stage, time: float, strike: float) -> None:
        near = danger is not None and danger[0] <= time < danger[1]
        stage.put(canvas, hand, (strike + 0.05, 0.02) if near else (-0.24, 0.03))

    return under
