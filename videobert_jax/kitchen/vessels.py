"""Actions in a dish, a pan or a sink: pour, stir, fry, mash, wash."""

import math

import numpy as np
from PIL import Image, ImageDraw

from videobert_jax.kitchen import tools
from videobert_jax.kitchen.motion import APPROACH, Action, Clock, Drops, dot, puffs
from videobert_jax.kitchen.objects import Food, resized
from videobert_jax.kitchen.painting import Color, Point, Sketch, Sprite, Stage, blob, mix, shadowed, varied
from videobert_jax.kitchen.tools import Look, MakeTool

LIQUIDS: tuple[Color, ...] = ((246, 242, 232), (214, 160, 40), (150, 60, 30), (176, 208, 222), (236, 206, 150))
WHITE: Color = (255, 255, 255)
BROWN: Color = (108, 60, 24)


POURING: dict[str, tuple[MakeTool, float]] = {"jug": (tools.jug, 62), "bottle": (tools.bottle, 118)}  # degrees


def pour(food: Food, look: Look, clock: Clock, rng: np.random.Generator, vessel_name: str = "") -> Action:
    """A jug or a bottle, if none is named, tilts; a stream falls on the object and a puddle grows around it."""
    liquid = varied(LIQUIDS[rng.integers(len(LIQUIDS))], rng, 0.08)
    drawn = "bottle" if rng.random() < 0.4 else "jug"
    vessel, level = POURING[vessel_name or drawn]
    held, plate, dish = vessel(look, rng, True), tools.plate(look, rng), food.sprite(0.92)
    height, half = rng.uniform(0.30, 0.36), rng.uniform(0.016, 0.026)
    drops = [dot(look.unit, size, liquid) for size in (0.009, 0.014)]
    splash = Drops(drops, 9, (0.02, 0.01), (0.35, -0.35), 2.2, 0.4, rng)
    shape = rng.integers(2**31)
    puddles = [_puddle(look.unit, liquid, share, np.random.default_rng(shape)) for share in np.linspace(0, 1, 14)]

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, plate, (0, 0.12))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        progress, away, sway = clock.progress(time), clock.away(time), clock.wave(time)
        if progress > 0:
            stage.put(canvas, puddles[round(13 * math.sqrt(progress))], (0, 0.15))
        stage.put(canvas, dish, (0, 0.06))
        lip = (0.02 + 0.03 * sway, -height + 0.02 * math.cos(1.7 * clock.angle(time)) - 0.4 * away)
        if away < 0.05:
            y = np.linspace(lip[1], 0.13, 9)
            x = lip[0] - 0.05 * np.minimum(1, np.arange(9) / 3) + 0.006 * np.sin(30 * time - 9 * y)
            wide = half * (1 + 0.25 * np.sin(40 * time - 25 * y)) * np.where(y < 0, 1, 1.5)  # it spreads on the object
            _stream(canvas, stage, x, y, wide, liquid, 235)
            splash.put(canvas, stage, (0.015 * sway - 0.02, 0.0), time)
        stage.put(canvas, held.sprite, (lip[0] + 0.5 * away, lip[1]), level * (1 - away) + 5 * sway, held.anchor)

    return Action(prepare, act)


def _puddle(unit: float, liquid: Color, share: float, rng: np.random.Generator) -> Sprite:
    size = 0.05 + 0.24 * share
    sketch = Sketch(2.4 * size, 1.5 * size, unit)
    outline = np.array(blob(0, 0, size, 0.6 * size, rng, 0.08))
    for grow, shade in ((1.05, mix(liquid, (60, 40, 20), 0.3)), (1.0, liquid), (0.8, mix(liquid, WHITE, 0.12))):
        sketch.polygon((outline * grow).tolist(), shade, 235)
    return Sprite(sketch.image())


def _stream(
    canvas: Image.Image, stage: Stage, x: np.ndarray, y: np.ndarray, half: np.ndarray, color: Color, alpha: int
) -> None:
    """Draws a column of liquid around the line (x, y) with half-width `half`, all [n] in frame sides."""
    left = [stage.pixel(*point) for point in zip((x - half).tolist(), y.tolist(), strict=True)]
    right = [stage.pixel(*point) for point in zip((x + half).tolist(), y.tolist(), strict=True)]
    ImageDraw.Draw(canvas, "RGBA").polygon(left + right[::-1], fill=(*color, alpha))


def stir(food: Food, look: Look, clock: Clock, rng: np.random.Generator, stirrer: MakeTool = tools.spoon) -> Action:
    """A spoon circles in a bowl; the object and its slices float around with it."""
    liquid = varied(LIQUIDS[rng.integers(len(LIQUIDS))], rng, 0.1)
    bowl, spoon = tools.bowl(look, rng, mix(liquid, food.flesh, 0.3)), stirrer(look, rng, True)
    large, small = food.sprite(0.78), Sprite(shadowed(food.slice, food.unit))
    swirls = ((mix(liquid, WHITE, 0.5), 150, 0.0), (mix(liquid, (60, 40, 20), 0.35), 120, math.pi))
    pieces = [(large, rng.uniform(0, 2 * math.pi), rng.uniform(0.06, 0.09), rng.uniform(0.3, 0.6))]
    pieces += [(small, rng.uniform(0, 2 * math.pi), rng.uniform(0.13, 0.2), rng.uniform(0.3, 0.6)) for _ in range(3)]
    turn, lean = rng.choice([-1, 1]), rng.uniform(-35, -15)

    def around(angle: float, radius: float) -> Point:
        return radius * math.cos(angle), 0.03 + radius * math.sin(angle)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, bowl, (0, 0.03))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        angle = turn * clock.angle(min(max(time, APPROACH), clock.duration - APPROACH))
        draw = ImageDraw.Draw(canvas, "RGBA")
        for ring, radius in enumerate((0.08, 0.15, 0.22)):
            for color, alpha, offset in swirls:
                start = angle * (1 - 0.2 * ring) + 2 * ring + offset
                arc = [stage.pixel(*around(start + 0.3 * index, radius)) for index in range(9)]
                draw.line(arc, fill=(*color, alpha), width=2)
        for sprite, offset, radius, speed in pieces:
            stage.put(canvas, sprite, around(offset + speed * angle, radius), -math.degrees(speed * angle))
        x, y = around(angle, 0.15)
        away = clock.away(time)
        at = (x + 0.4 * away, y - 0.6 * away)
        stage.put(canvas, spoon.sprite, at, lean + 12 * math.sin(angle), spoon.anchor)

    return Action(prepare, act)


def fry(food: Food, look: Look, clock: Clock, rng: np.random.Generator, skillet: MakeTool = tools.pan) -> Action:
    """A pan is shaken; the object slides and browns in it, with steam and bubbling fat."""
    pan = skillet(look, rng, True)
    whole = [Sprite(shadowed(resized(picture, 0.9), food.unit)) for picture in _browned(food.whole)]
    slices = [Sprite(picture) for picture in _browned(food.slice)]
    places = [
        (0.19 * math.cos(angle), 0.19 * math.sin(angle)) for angle in rng.uniform(0, 1) + np.array([0.9, 2.6, 4.6])
    ]
    fat = [dot(look.unit, size, (250, 226, 150), 190) for size in (0.008, 0.012, 0.018)]
    bubbles = Drops(fat, 14, (0.2, 0.2), (0.0, -0.04), 0.0, 0.35, rng)
    steam = Drops(puffs(look.unit), 7, (0.14, 0.04), (0.06, -0.32), 0.0, 1.3, rng)
    turn = rng.uniform(-8, 8)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        """Nothing to paint: the pan moves."""

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        level = round((len(whole) - 1) * clock.progress(time))
        shake = (1 - clock.away(time)) * clock.wave(time)
        x, y = -0.05 + 0.045 * shake, 0.04 + 0.015 * shake
        stage.put(canvas, pan.sprite, (x, y))
        slide, bounce = -0.035 * shake, -0.02 * abs(clock.wave(time + 0.1))
        for index, place in enumerate(places):
            stage.put(canvas, slices[level], (x + place[0] + slide, y + place[1]), 40 * index + 6 * shake)
        stage.put(canvas, whole[level], (x + slide, y + bounce), turn + 8 * shake)
        bubbles.put(canvas, stage, (x, y), time)
        steam.put(canvas, stage, (x, y - 0.05), time)

    return Action(prepare, act)


def _browned(picture: Image.Image, levels: int = 8) -> list[Image.Image]:
    brown = Image.new("RGBA", picture.size, BROWN)
    brown.putalpha(picture.getchannel("A"))
    return [Image.blend(picture, brown, 0.6 * share) for share in np.linspace(0, 1, levels).tolist()]


def mash(food: Food, look: Look, clock: Clock, rng: np.random.Generator, presser: MakeTool = tools.masher) -> Action:
    """A masher presses from above; the object flattens, then turns into mash."""
    masher, plate, heap = presser(look, rng, True), tools.plate(look, rng, 0.5), _heap(food, rng)
    stages = [_squashed(food, heap, share) for share in np.linspace(0, 1, 9).tolist()]
    bits = [dot(look.unit, 0.011, food.flesh), dot(look.unit, 0.009, food.skin)]
    splash = Drops(bits, 6, (0.12, 0.02), (0.45, -0.4), 2.4, 0.4, rng)
    floor, lean = 0.16, rng.uniform(-8, 8)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, plate, (0, 0.13))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        progress, away, press = clock.progress(time), clock.away(time), clock.press(time)
        picture = stages[round((len(stages) - 1) * progress)]
        stage.put(canvas, picture, (0, floor + 0.06 - picture.image.height / 2 / food.unit))
        if press > 0.5 and away == 0:
            splash.put(canvas, stage, (0, floor - 0.05), time)
        down = floor - 0.05 - 0.12 * (1 - progress)
        at = (0.05 * math.sin(0.37 * clock.angle(time)) + 0.3 * away, down - 0.24 * (1 - press) - 0.5 * away)
        stage.put(canvas, masher.sprite, at, lean + 4 * clock.wave(0.5 * time), masher.anchor)

    return Action(prepare, act)


def _heap(food: Food, rng: np.random.Generator) -> Image.Image:
    sketch = Sketch(0.56, 0.26, food.unit)
    sketch.polygon(blob(0, 0.02, 0.25, 0.09, rng, 0.06), mix(food.skin, food.flesh, 0.6))
    angles, distances = rng.uniform(0, 2 * math.pi, 70), np.sqrt(rng.random(70))
    for x, y in zip(0.23 * distances * np.cos(angles), 0.02 + 0.085 * distances * np.sin(angles), strict=True):
        lump = mix(food.skin, food.flesh, rng.random())
        sketch.ellipse(x, y + 0.006, 0.02, 0.015, mix(lump, (0, 0, 0), 0.25))
        sketch.ellipse(x, y, 0.02, 0.014, lump)
    return sketch.image()


def _squashed(food: Food, heap: Image.Image, share: float) -> Sprite:
    """The object, mashed by `share` (0 to 1), standing on the lower edge of the picture."""
    body = food.whole.crop(food.box)
    body = body.resize((round(body.width * (1 + 0.45 * share)), max(3, round(body.height * (1 - 0.72 * share)))))
    body.putalpha(body.getchannel("A").point(lambda value: value * (1 - share**2)))
    width, height = max(body.width, heap.width), max(body.height, round(heap.height * 0.8))
    picture = Image.new("RGBA", (width, height))
    if share > 0:
        pulp = resized(heap, 0.5 + 0.5 * share)
        picture.paste(pulp, ((width - pulp.width) // 2, height - pulp.height), pulp)
    picture.alpha_composite(body, ((width - body.width) // 2, max(0, height - body.height - round(0.03 * food.unit))))
    return Sprite(shadowed(picture, food.unit))


def wash(food: Food, look: Look, clock: Clock, rng: np.random.Generator) -> Action:
    """Water runs from a tap over the object, which is turned in it and splashes."""
    sink, tap, hand, wet = tools.sink(look, rng), tools.tap(look, rng), tools.hand(look), food.sprite(0.95)
    half, turn = rng.uniform(0.022, 0.036), rng.uniform(-20, 20)
    drops = [dot(look.unit, size, (232, 245, 255), 220) for size in (0.008, 0.012)]
    splash = Drops(drops, 18, (0.1, 0.02), (0.7, -0.45), 2.6, 0.45, rng)

    def prepare(canvas: Image.Image, stage: Stage) -> None:
        stage.put(canvas, sink, (0, 0.08))

    def act(canvas: Image.Image, stage: Stage, time: float) -> None:
        away, rock = clock.away(time), clock.wave(time)
        draw = ImageDraw.Draw(canvas, "RGBA")
        for ring in (0.0, 0.5):
            size = 0.1 + 0.28 * ((1.1 * time + ring) % 1.0)
            turns = [index * math.pi / 10 for index in range(21)]
            wave = [stage.pixel(size * math.cos(angle), 0.24 + 0.35 * size * math.sin(angle)) for angle in turns]
            draw.line(wave, fill=(235, 246, 255, 130), width=1)
        at = (0.03 * rock + 0.3 * away, 0.1 + 0.02 * math.cos(clock.angle(time)) + 0.35 * away)
        stage.put(canvas, hand, (at[0] + 0.14, at[1] + 0.06))
        stage.put(canvas, wet, at, turn + 24 * rock)
        end = 0.02 if away < 0.5 else 0.24  # the water falls on the object, or past it into the sink
        y = np.linspace(-0.25, end, 8)
        for share, color, alpha in ((1.0, (206, 230, 244), 150), (0.45, WHITE, 170)):
            wide = half * share * (1 + 0.3 * np.sin(45 * time - 30 * y + 7 * share))
            _stream(canvas, stage, np.zeros(8), y, wide, color, alpha)
        stage.put(canvas, tap.sprite, (0, -0.25), 0.0, tap.anchor)
        splash.put(canvas, stage, (0, end + 0.02), time)

    return Action(prepare, act)
