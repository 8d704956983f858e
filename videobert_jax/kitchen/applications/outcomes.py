"""How a dish turned out, well or badly, as pictures. Each painter shows the same for as long as the outcome lasts."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from videobert_jax.kitchen import tools
from videobert_jax.kitchen.motion import Action, Drops, puffs
from videobert_jax.kitchen.objects import DARK_LEAF, LEAF, Food, resized
from videobert_jax.kitchen.painting import Color, Sketch, Sprite, Stage, blob, mix, shadowed
from videobert_jax.kitchen.tools import Look
from videobert_jax.kitchen.vessels import LIQUIDS

FALL = 0.7  # seconds until a dropped object lies on the floor
GROWTH = 0.8  # seconds until a puddle has its size
SOOT: Color = (26, 22, 20)
GOLD: Color = (255, 226, 90)

Make = Callable[[Food, Look, np.random.Generator], Action]


def _served(food: Food, look: Look, rng: np.random.Generator) -> Action:
    """The object on a plate with herbs, steam and sparkles."""
    plate, dish, steam = tools.plate(look, rng), food.sprite(0.85), _steam(look, rng)
    sprigs = [
        (_sprig(look.unit, rng), (x, y), rng.uniform(-40, 40)) for x, y in ((-0.2, 0.08), (0.2, 0.07), (0.02, 0.16))
    ]
    sparkles = _sparkles(look.unit, rng)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, plate, (0, 0.06))
        for sprig, at, degrees in sprigs:
            stage.put(canvas, sprig, at, degrees)
        stage.put(canvas, dish, (0, 0.0))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        steam.put(canvas, stage, (0, -0.1), time)
        sparkles(canvas, stage, time)

    return Action(prepare, act)


def _arranged(food: Food, look: Look, rng: np.random.Generator) -> Action:
    """A ring of slices on a plate, herbs in the middle, sparkles."""
    plate, piece, sprig = tools.plate(look, rng, 0.8), Sprite(shadowed(food.slice, food.unit)), _sprig(look.unit, rng)
    turns = np.linspace(0, 2 * math.pi, int(rng.integers(6, 9)), endpoint=False) + rng.uniform(0, 1)
    sparkles = _sparkles(look.unit, rng)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, plate, (0, 0.02))
        for angle in turns.tolist():
            stage.put(canvas, piece, (0.19 * math.cos(angle), 0.02 + 0.15 * math.sin(angle)), math.degrees(angle))
        stage.put(canvas, sprig, (0, 0.02))

    return Action(prepare, sparkles)


def _burnt(food: Food, look: Look, rng: np.random.Generator) -> Action:
    """The object, black, in dark smoke on a sooty plate."""
    plate = tools.plate(look, rng)
    soot = Image.new("RGBA", food.whole.size, SOOT)
    soot.putalpha(food.whole.getchannel("A"))
    dish = Sprite(shadowed(resized(Image.blend(food.whole, soot, 0.86), 0.9), food.unit))
    stain = Sketch(0.6, 0.4, look.unit)
    stain.polygon(blob(0, 0, 0.25, 0.13, rng, 0.12), SOOT, 190)
    stained, smoke = Sprite(stain.image()), [_smoke(look.unit, size) for size in (0.07, 0.1, 0.13)]
    drops = Drops(smoke, 10, (0.16, 0.05), (0.08, -0.36), 0.0, 1.5, rng)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, plate, (0, 0.08))
        stage.put(canvas, stained, (0, 0.08))
        stage.put(canvas, dish, (0, 0.02))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        drops.put(canvas, stage, (0, -0.04), time)

    return Action(prepare, act)


def _spilt(food: Food, look: Look, rng: np.random.Generator) -> Action:
    """A jug or a bottle lies on its side; a puddle spreads over everything, and the object lies in it."""
    liquid = LIQUIDS[rng.integers(len(LIQUIDS) - 1)]
    make, degrees = ((tools.jug, 100), (tools.bottle, 95))[rng.integers(2)]
    vessel, wet, shape = make(look, rng, False).sprite, food.sprite(0.7), int(rng.integers(2**31))
    puddles = [_puddle(look.unit, liquid, share, np.random.default_rng(shape)) for share in np.linspace(0.1, 1, 9)]

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        """Nothing to paint: the puddle spreads under the rest."""

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        stage.put(canvas, puddles[round(8 * min(1.0, time / GROWTH))], (-0.03, 0.04))
        stage.put(canvas, wet, (-0.16, 0.1), 12)
        stage.put(canvas, vessel, (0.16, -0.12), degrees)

    return Action(prepare, act)


def _dropped(food: Food, look: Look, rng: np.random.Generator) -> Action:
    """The object falls from above and bursts into pieces."""
    whole, pulp = food.sprite(), _splat(food, rng)
    turns, reach = np.linspace(0, 2 * math.pi, 9, endpoint=False) + rng.uniform(0, 1), rng.uniform(0.2, 0.36, 9)
    chunks = [Sprite(shadowed(chunk, food.unit)) for chunk in _chunks(food)]
    places = list(
        zip((1.15 * reach * np.cos(turns)).tolist(), (0.05 + 0.8 * reach * np.sin(turns)).tolist(), strict=True)
    )

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        """Nothing to paint: everything moves."""

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        if time < FALL:
            stage.put(canvas, whole, (0, 0.05 - 0.75 * (1 - (time / FALL) ** 2)), 260 * time)
            return
        out = min(1.0, (time - FALL) / 0.2)
        stage.put(canvas, pulp, (0, 0.06))
        for number, (x, y) in enumerate(places):
            stage.put(canvas, chunks[number % len(chunks)], (x * out, y * out), 67 * number)

    return Action(prepare, act)


def _chunks(food: Food) -> list[Image.Image]:
    """The object in six pieces."""
    left, top, right, bottom = food.box
    middle = (top + bottom) // 2
    columns = np.linspace(left, right, 4).round().astype(int).tolist()
    return [
        food.peeled.crop((columns[index], low, columns[index + 1], high)) if (index + row) % 2
        else food.whole.crop((columns[index], low, columns[index + 1], high))
        for row, (low, high) in enumerate(((top, middle), (middle, bottom)))
        for index in range(3)
    ]  # fmt: skip


def _splat(food: Food, rng: np.random.Generator) -> Sprite:
    sketch = Sketch(0.9, 0.7, food.unit)
    pulp = mix(food.skin, food.flesh, 0.6)
    sketch.polygon(blob(0, 0, 0.26, 0.17, rng, 0.16), mix(pulp, (0, 0, 0), 0.15), 235)
    sketch.polygon(blob(0, 0, 0.2, 0.12, rng, 0.16), pulp, 235)
    for angle, reach in zip(rng.uniform(0, 2 * math.pi, 26).tolist(), rng.uniform(0.22, 0.4, 26).tolist(), strict=True):
        sketch.ellipse(reach * math.cos(angle), 0.75 * reach * math.sin(angle), 0.014, 0.011, pulp)
    return Sprite(sketch.image())


def _puddle(unit: float, liquid: Color, share: float, rng: np.random.Generator) -> Sprite:
    sketch = Sketch(1.2, 1.0, unit)
    outline = np.array(blob(0, 0, 0.38, 0.33, rng, 0.12)) * share
    for grow, shade in (
        (1.05, mix(liquid, (50, 30, 10), 0.4)),
        (1.0, liquid),
        (0.72, mix(liquid, (255, 255, 255), 0.16)),
    ):
        sketch.polygon((outline * grow).tolist(), shade, 240)
    return Sprite(sketch.image())


def _steam(look: Look, rng: np.random.Generator) -> Drops:
    return Drops(puffs(look.unit), 6, (0.1, 0.03), (0.05, -0.25), 0.0, 1.2, rng)


def _smoke(unit: float, size: float) -> Sprite:
    sketch = Sketch(2.4 * size, 2.4 * size, unit)
    for share in (1.0, 0.75, 0.5):
        sketch.ellipse(0, 0, size * share, size * share, (34, 32, 34), 80)
    return Sprite(sketch.image())


def _sprig(unit: float, rng: np.random.Generator) -> Sprite:
    """Three leaves."""
    sketch = Sketch(0.22, 0.22, unit)
    for angle in np.linspace(0, 2 * math.pi, 3, endpoint=False) + rng.uniform(0, 1):
        tip = (0.085 * math.cos(angle), 0.085 * math.sin(angle))
        side = (-0.03 * math.sin(angle), 0.03 * math.cos(angle))
        middle = (0.5 * tip[0], 0.5 * tip[1])
        sketch.polygon(
            [(0, 0), (middle[0] + side[0], middle[1] + side[1]), tip, (middle[0] - side[0], middle[1] - side[1])], LEAF
        )
        sketch.line([(0, 0), tip], 0.007, DARK_LEAF)
    return Sprite(sketch.image())


def _sparkles(unit: float, rng: np.random.Generator) -> Callable[[Image.Image, Stage, float], None]:
    """Five golden stars around the plate that come and go."""
    stars = []
    for size in (0.04, 0.06, 0.08):
        sketch = Sketch(2.4 * size, 2.4 * size, unit)
        for long, wide in (((0, size), (0.22 * size, 0)), ((size, 0), (0, 0.22 * size))):
            sketch.polygon([long, wide, (-long[0], -long[1]), (-wide[0], -wide[1])], GOLD)
        stars.append(Sprite(sketch.image()))
    turns, phases = np.linspace(0, 2 * math.pi, 5, endpoint=False) + rng.uniform(0, 1), rng.uniform(0, 2 * math.pi, 5)
    places = list(zip((0.38 * np.cos(turns)).tolist(), (0.02 + 0.28 * np.sin(turns)).tolist(), strict=True))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        for place, phase in zip(places, phases.tolist(), strict=True):
            level = math.sin(4.5 * time + phase)
            if level > -0.3:
                stage.put(canvas, stars[min(2, int((level + 0.3) / 0.44))], place)

    return act


OUTCOMES: dict[str, Make] = {
    "served": _served,
    "arranged": _arranged,
    "burnt": _burnt,
    "spilt": _spilt,
    "dropped": _dropped,
}
