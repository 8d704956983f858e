"""Actions with a blade: cut, peel, grate."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from videobert_jax.kitchen import tools
from videobert_jax.kitchen.motion import Action, Clock, Drops
from videobert_jax.kitchen.objects import Food
from videobert_jax.kitchen.painting import Color, Sketch, Sprite, Stage, mix, shadowed, varied
from videobert_jax.kitchen.tools import Look, MakeTool

UnderBlade = Callable[[Image.Image, Stage, float, float], None]  # paints at a time, given where the knife strikes, x


def cut(
    food: Food,
    look: Look,
    clock: Clock,
    rng: np.random.Generator,
    blade: MakeTool = tools.knife,
    under: UnderBlade | None = None,
) -> Action:
    """A knife chops slices off the object, from right to left; `under` is painted between the two."""
    board, knife = tools.board(look, rng), blade(look, rng, True)
    slices, lean = int(rng.integers(5, 8)), rng.uniform(48, 66)
    stages = [_sliced(food, slices, done) for done in range(slices + 1)]

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, board, (0, 0.02))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        away, lift = clock.away(time), 1 - clock.press(time)
        done = int(clock.progress(time) * slices + 1e-6)
        stage.put(canvas, stages[done], (0, 0))
        strike = 0.19 - 0.34 * done / slices
        if under:
            under(canvas, stage, time, strike)
        at = (strike + 0.5 * away, 0.03 - 0.17 * lift - 0.5 * away)
        stage.put(canvas, knife.sprite, at, lean - 16 * lift, knife.anchor)

    return Action(prepare, act)


def _sliced(food: Food, slices: int, done: int) -> Sprite:
    """The object with `done` of its `slices` cut off at the right and spread out."""
    whole, unit, gap = food.whole, food.unit, 0.03 * food.unit
    left, _, right, _ = food.box
    edges = np.linspace(left, left + 0.9 * (right - left), slices + 1).round().astype(int).tolist()
    edges[-1] = right
    picture = Image.new("RGBA", (round(whole.width + 2 * slices * gap), whole.height + 4))
    start, intact = (picture.width - whole.width) / 2, slices - done
    picture.paste(whole.crop((0, 0, edges[intact], whole.height)), (round(start), 2))
    draw = ImageDraw.Draw(picture)
    for index in range(intact, slices):
        piece = whole.crop((edges[index], 0, edges[index + 1], whole.height))
        place, drop = round(start + edges[index] + (index - intact + 1) * gap), index % 2 * 2
        picture.paste(piece, (place, 2 + drop), piece)
        face = np.flatnonzero(np.asarray(piece.getchannel("A"))[:, 0] > 128).tolist()
        if face:
            outline = (place - 0.022 * unit, face[0] + 2, place + 0.022 * unit, face[-1] + 2 + drop)
            draw.ellipse(outline, fill=(*food.flesh, 255), outline=(*food.skin, 255))
    return Sprite(shadowed(picture, unit))


def peel(food: Food, look: Look, clock: Clock, rng: np.random.Generator) -> Action:
    """A peeler strokes along the object; strips of skin come off and the flesh shows."""
    peeler = tools.peeler(look, rng, held=True)
    rest = (tools.board if rng.random() < 0.5 else tools.plate)(look, rng)
    strokes = max(3, round(clock.duration / clock.period) - 1)
    strips = [_strip(food, rng) for _ in range(3)]
    fallen = np.stack([rng.uniform(low, high, strokes) for low, high in ((-0.26, 0.26), (0.15, 0.24), (0, 360))], 1)
    lean = rng.uniform(5, 25)
    left, top, right, bottom = food.box
    height, (width, tall) = (bottom - top) / strokes, food.whole.size

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, rest, (0, 0.06))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        away, exact = clock.away(time), clock.progress(time) * strokes
        done = min(int(exact), strokes - 1)
        along = min(1.0, (exact - done) / 0.7)  # of the stroke; the peeler then returns above the object
        back = max(0.0, (exact - done - 0.7) / 0.3)
        row, end = top + done * height, left + along * (right - left)
        peeled = Image.new("L", (width, tall))
        draw = ImageDraw.Draw(peeled)
        draw.rectangle((0, 0, width, row), fill=255)
        draw.rectangle((0, row, end, row + height), fill=255)
        for index, (x, y, degrees) in enumerate(fallen[: round(exact - 0.4)].tolist()):
            stage.put(canvas, strips[index % 3], (x, y), degrees)
        stage.put(canvas, Sprite(Image.composite(food.peeled, food.whole, peeled)), (0, 0))
        x = ((end if back == 0 else right + back * (left - right)) - width / 2) / food.unit
        y = (row + height / 2 - tall / 2) / food.unit - 0.06 * math.sin(math.pi * back)
        if back == 0 and 0.1 < along < 1:
            stage.put(canvas, strips[done % 3], (x - 0.03, y + 0.05), 70 + 8 * math.sin(20 * time))
        stage.put(canvas, peeler.sprite, (x + 0.5 * away, y - 0.5 * away), lean, peeler.anchor)

    return Action(prepare, act)


def _strip(food: Food, rng: np.random.Generator) -> Sprite:
    sketch = Sketch(0.18, 0.12, food.unit)
    x = np.linspace(-0.075, 0.075, 14)
    y = rng.uniform(0.015, 0.035) * np.sin(x * 55)
    sketch.line(list(zip(x, y, strict=True)), 0.032, mix(food.skin, (0, 0, 0), 0.15))
    sketch.line(list(zip(x, y + 0.008, strict=True)), 0.02, mix(food.skin, food.flesh, 0.35))
    return Sprite(shadowed(sketch.image(), food.unit, 0.3))


def grate(food: Food, look: Look, clock: Clock, rng: np.random.Generator) -> Action:
    """A hand rubs the object up and down a grater; shreds pile up and the object shrinks."""
    grater, plate, hand = tools.grater(look, rng, held=True), tools.plate(look, rng, 0.45), tools.hand(look)
    sizes = [food.sprite(scale) for scale in np.linspace(0.95, 0.7, 6).tolist()]
    turn = rng.uniform(-20, 20)
    shreds = [_shred(food.unit, varied(mix(food.skin, food.flesh, 0.55), rng, 0.15), rng) for _ in range(5)]
    falling = Drops(shreds, 6, (0.08, 0.03), (0.05, 0.25), 1.5, 0.45, rng)
    x = rng.normal(0, 0.09, 46)
    pile = np.stack([x - 0.08, 0.31 - 0.11 * rng.random(46) * np.exp(-40 * x**2), rng.uniform(0, 180, 46)], 1).tolist()

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, plate, (-0.02, 0.27))
        stage.put(canvas, grater.sprite, (-0.08, 0.0))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        progress, away, rub = clock.progress(time), clock.away(time), clock.wave(time)
        for index, (x, y, degrees) in enumerate(pile[: round(len(pile) * progress)]):
            stage.put(canvas, shreds[index % len(shreds)], (x, y), degrees)
        if away == 0:
            falling.put(canvas, stage, (-0.05, 0.12), time)
        at = (0.03 + 0.02 * rub + 0.5 * away, -0.03 + 0.14 * rub - 0.2 * away)
        stage.put(canvas, sizes[round(5 * progress)], at, turn + 5 * rub)
        stage.put(canvas, hand, (at[0] + 0.13, at[1] + 0.01))

    return Action(prepare, act)


def _shred(unit: float, color: Color, rng: np.random.Generator) -> Sprite:
    sketch = Sketch(0.11, 0.05, unit)
    bend = rng.uniform(-0.015, 0.015)
    sketch.line([(-0.04, 0), (0, bend), (0.04, 0)], 0.016, color)
    sketch.line([(-0.04, 0.004), (0, bend + 0.005), (0.04, 0.004)], 0.006, mix(color, (0, 0, 0), 0.25))
    return Sprite(sketch.image())
