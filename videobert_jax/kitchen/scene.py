"""The scene of a video (worktop, light, clutter, distractions, camera) and its frames."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageChops

from videobert_jax.config import KitchenConfig
from videobert_jax.kitchen import tools
from videobert_jax.kitchen.actions import ACTIONS
from videobert_jax.kitchen.backdrop import NOISE_FRAMES, backdrop, grain, lamp
from videobert_jax.kitchen.camera import MARGIN, Camera
from videobert_jax.kitchen.motion import Clock, Drops, puffs
from videobert_jax.kitchen.objects import OBJECTS, make_food
from videobert_jax.kitchen.painting import Sketch, Sprite, Stage, mix, shadowed, varied
from videobert_jax.kitchen.recipes import Step, Stream, Video

Painter = Callable[[Image.Image, float], None]  # paints the canvas as it is at a time, seconds


def render(video: Video, config: KitchenConfig) -> Iterator[Image.Image]:
    """Yields the frames of a video, RGB, `round(video.duration * config.fps)` of them."""
    rng = video.random(Stream.PICTURES)
    kitchen = _Kitchen(config, rng)
    painters = [(step, kitchen.step_painter(step, rng)) for step in video.steps]
    pause = kitchen.pause_painter(video.steps, rng)
    for index in range(round(video.duration * config.fps)):
        time = index / config.fps
        painter = next((paint for step, paint in painters if step.start <= time < step.end), pause)
        yield kitchen.shoot(painter, time, index)


class _Kitchen:
    """The scene of one video, constant over its steps."""

    def __init__(self, config: KitchenConfig, rng: np.random.Generator):
        frame = (config.width, config.height)
        self._size = (round(config.width * MARGIN), round(config.height * MARGIN))
        self._unit = min(frame)
        self._light = -math.pi / 2 + rng.uniform(-0.9, 0.9)
        self._backdrop = backdrop(self._size, rng)
        self._lamp = lamp(frame, self._light, rng)
        self._grain = grain(frame, rng)
        self._camera = Camera(frame, rng)
        names = rng.permutation(OBJECTS)[: rng.integers(2, 5)].tolist()
        spots = rng.permutation(8)
        self._around = [
            (make_food(name, self._unit * rng.uniform(0.42, 0.6), self._light, rng), self._spot(spot, rng))
            for name, spot in zip(names, spots, strict=False)
        ]
        self._tool_spot = self._spot(spots[-1], rng)

    def step_painter(self, step: Step, rng: np.random.Generator) -> Painter:
        stage = self._stage(rng, gravity=step.verb in ("pour", "grate", "mash", "wash"))
        look = tools.make_look(stage.unit, self._light, rng)
        food = make_food(step.object, stage.unit, self._light, rng)
        make, period = ACTIONS[step.verb]
        clock = Clock(step.end - step.start, period * rng.uniform(0.7, 1.4), rng.uniform(0, 2 * math.pi))
        action = make(food, look, clock, rng)
        base = self._surroundings({step.object}, rng)
        action.prepare(base, stage)
        distraction = self._distraction(rng)

        def paint(canvas: Image.Image, time: float) -> None:
            canvas.paste(base)
            action.act(canvas, stage, time - step.start)
            distraction(canvas, time)

        return paint

    def pause_painter(self, steps: tuple[Step, ...], rng: np.random.Generator) -> Painter:
        """Paints the time between steps: the worktop and sometimes the object of the next step."""
        base = self._surroundings({step.object for step in steps}, rng)
        shown: list[tuple[float, Image.Image]] = []
        for step in steps:
            picture = base
            if rng.random() < 0.5:
                picture = base.copy()
                stage = self._stage(rng, gravity=False)
                stage.put(picture, make_food(step.object, stage.unit, self._light, rng).sprite(), (0, 0))
            shown.append((step.start, picture))
        distraction = self._distraction(rng)

        def paint(canvas: Image.Image, time: float) -> None:
            canvas.paste(next((picture for start, picture in shown if time < start), base))
            distraction(canvas, time)

        return paint

    def shoot(self, paint: Painter, time: float, index: int) -> Image.Image:
        canvas = Image.new("RGB", self._size)
        paint(canvas, time)
        frame = ImageChops.multiply(self._camera.shoot(canvas, time, index), self._lamp)
        return ImageChops.add(frame, self._grain[index % NOISE_FRAMES], 1, -128)

    def _stage(self, rng: np.random.Generator, gravity: bool) -> Stage:
        x, y = (side / 2 + self._unit * rng.uniform(-0.08, 0.08) for side in self._size)
        tilt = rng.uniform(-5, 5) if gravity else rng.uniform(-22, 22)
        return Stage((x, y), self._unit * rng.uniform(0.95, 1.4), tilt, bool(rng.random() < 0.5))

    def _spot(self, number: int, rng: np.random.Generator) -> Stage:
        """One of eight places at the edge of the canvas."""
        angle = number * math.pi / 4 + rng.uniform(-0.25, 0.25)
        x = self._size[0] * (0.5 + np.clip(0.62 * math.cos(angle), -0.42, 0.42) * rng.uniform(0.9, 1.05))
        y = self._size[1] * (0.5 + np.clip(0.62 * math.sin(angle), -0.42, 0.42) * rng.uniform(0.9, 1.05))
        return Stage((x, y), self._unit, rng.uniform(0, 360), bool(rng.random() < 0.5))

    def _surroundings(self, without: set[str], rng: np.random.Generator) -> Image.Image:
        """The worktop with one to three other objects and, often, an unused tool."""
        canvas = self._backdrop.copy()
        others = [(food, spot) for food, spot in self._around if food.name not in without][:3]
        for food, spot in others:
            spot.put(canvas, food.sprite(), (0, 0))
        if rng.random() < 0.6:
            name = list(tools.TOOLS)[rng.integers(len(tools.TOOLS))]
            look = tools.make_look(self._unit * rng.uniform(0.6, 0.85), self._light, rng)
            self._tool_spot.put(canvas, tools.TOOLS[name](look, rng, False).sprite, (0, 0))
        return canvas

    def _distraction(self, rng: np.random.Generator) -> Painter:
        """Something else that moves, in half of the cases."""
        makers = (_nothing, _nothing, _nothing, _nothing, _fly, _steam, _pendulum, _passing_hand)
        x, y = self._spot(int(rng.integers(8)), rng).centre
        # The arm of a passing hand points away from the middle of the picture.
        outwards = -math.degrees(math.atan2(y - self._size[1] / 2, x - self._size[0] / 2))
        make = makers[rng.integers(len(makers))]
        return make(Stage((x, y), self._unit, outwards if make is _passing_hand else 0.0, False), rng)


def _nothing(stage: Stage, rng: np.random.Generator) -> Painter:
    return lambda canvas, time: None


def _fly(stage: Stage, rng: np.random.Generator) -> Painter:
    sketch = Sketch(0.08, 0.08, stage.unit)
    for x in (-0.016, 0.016):
        sketch.ellipse(x, -0.006, 0.018, 0.01, (220, 225, 235), 190)
    sketch.ellipse(0, 0, 0.01, 0.016, (24, 22, 26))
    sprite, speeds, phases = Sprite(sketch.image()), rng.uniform(0.6, 2.6, 4), rng.uniform(0, 6, 4)

    def paint(canvas: Image.Image, time: float) -> None:
        x, y, dx, dy = np.sin(speeds * time + phases).tolist()
        stage.put(canvas, sprite, (0.2 * x + 0.06 * dx, 0.2 * y + 0.06 * dy), 40 * dx)

    return paint


def _steam(stage: Stage, rng: np.random.Generator) -> Painter:
    drops = Drops(puffs(stage.unit), 6, (0.05, 0.02), (0.05, -0.25), 0.0, 1.4, rng)
    return lambda canvas, time: drops.put(canvas, stage, (0, 0), time)


def _pendulum(stage: Stage, rng: np.random.Generator) -> Painter:
    sketch = Sketch(0.1, 0.6, stage.unit)
    brass = varied((206, 164, 70), rng, 0.2)
    sketch.line([(0, -0.28), (0, 0.22)], 0.012, mix(brass, (0, 0, 0), 0.5))
    sketch.ellipse(0, 0.22, 0.042, 0.042, brass)
    sprite, period = Sprite(shadowed(sketch.image(), stage.unit)), rng.uniform(1.0, 2.0)
    return lambda canvas, time: stage.put(
        canvas, sprite, (0, -0.2), 18 * math.sin(2 * math.pi * time / period), (0, -0.28)
    )


def _passing_hand(stage: Stage, rng: np.random.Generator) -> Painter:
    sprite = tools.hand(tools.make_look(stage.unit * 0.8, -math.pi / 2, rng))
    period, phase = rng.uniform(3.0, 6.0), rng.uniform(0, 2 * math.pi)

    def paint(canvas: Image.Image, time: float) -> None:
        reach = math.sin(2 * math.pi * time / period + phase)
        if reach > 0:
            stage.put(canvas, sprite, (0.3 - 0.4 * reach, 0.0), tools.ARM_DEGREES)

    return paint
