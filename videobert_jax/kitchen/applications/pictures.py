"""The frames of a video: chapters in their places, steps with their tools, unsafe acts, outcomes, and a camera."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageChops

from videobert_jax.kitchen import tools
from videobert_jax.kitchen.applications import places, utensils
from videobert_jax.kitchen.applications.hazards import PAINTERS
from videobert_jax.kitchen.applications.outcomes import OUTCOMES
from videobert_jax.kitchen.applications.plan import FINGERS, Chapter, Hazard, Outcome, Settings, Step, Stream, Video
from videobert_jax.kitchen.backdrop import NOISE_FRAMES, grain
from videobert_jax.kitchen.camera import Camera
from videobert_jax.kitchen.motion import Action
from videobert_jax.kitchen.objects import Food, make_food
from videobert_jax.kitchen.painting import Sprite, Stage, varied
from videobert_jax.kitchen.tools import Look

CLOSER = 1.45  # magnification of a close-up
EASE = 0.5  # seconds to move there and back
ROW = -0.535, 0.165  # where the row of items is and the distance between them, frame sides
BESIDE, LOW = (-0.37, -0.35), (-0.36, 0.36)  # where other foods lie; the hand comes from the right
LOW_RIGHT = (0.47, 0.33)  # instead of LOW if a second hand comes from the left
SCALES = {"wash": 0.85, "pour": 0.88, "mash": 0.95, "fry": 1.0}  # frame sides; of other verbs it varies
LOWER = {"pour": 0.09, "mash": 0.07}  # frame sides, so that what comes from above is in the picture
HELPED = ("pour", "mash")  # the hand that does it is out of the picture; another holds the plate

Painter = Callable[[Image.Image, float], None]  # paints the canvas as it is at a time, seconds


def render(video: Video, settings: Settings) -> Iterator[Image.Image]:
    """Yields the frames of a video, RGB, `round(video.duration * settings.fps)` of them."""
    rng = video.random(Stream.PICTURES)
    camera, noise = Camera((settings.width, settings.height), rng), grain((settings.width, settings.height), rng)
    index = 0
    for chapter in video.chapters:
        table = _Table(chapter, video.hazards, camera, rng)
        while index < round(chapter.end * settings.fps):
            time = index / settings.fps
            canvas = Image.new("RGB", camera.canvas)
            table.paint(canvas, time)
            frame = camera.shoot(canvas, time, index, _closer(chapter, time))
            yield ImageChops.add(ImageChops.multiply(frame, table.light), noise[index % NOISE_FRAMES], 1, -128)
            index += 1


def _closer(chapter: Chapter, time: float) -> float:
    """The magnification at a time: that of a close-up, of its beginning or end, or 1."""
    for step in chapter.steps:
        if step.close and step.close[0] <= time < step.close[1]:
            near = min(time - step.close[0], step.close[1] - time) / EASE
            return 1 + (CLOSER - 1) * min(1.0, near)
    return 1.0


class _Table:
    """The surroundings of one chapter, and painters of what happens there."""

    def __init__(self, chapter: Chapter, hazards: tuple[Hazard, ...], camera: Camera, rng: np.random.Generator):
        self._around, self._size, self._unit = chapter.surroundings, camera.canvas, min(camera.frame)
        self._direction = -math.pi / 2 + rng.uniform(-0.9, 0.9)
        self._left_handed = bool(rng.random() < 0.5)
        # A generator for each, so that no other picture depends on how much one of them draws.
        lamps, grounds, mats, foods, items, outcomes, *steps = rng.spawn(6 + len(chapter.steps))
        self.light = places.light(self._around.place, camera.frame, self._direction, lamps)
        self._middle = Stage((self._size[0] / 2, self._size[1] / 2), self._unit, 0.0, self._left_handed)
        self._ground = places.ground(self._around.place, self._size, self._unit, grounds)
        self._middle.put(self._ground, utensils.mat(self._unit, self._around.mat, mats), (0, 0), mats.uniform(-3, 3))
        second_hand = any(step.verb in ("cut", *HELPED) for step in chapter.steps)
        spots = (BESIDE, LOW_RIGHT if second_hand else LOW)
        self._foods = [
            (make_food(name, 0.5 * self._unit, self._direction, foods), spot)
            for name, spot in zip(self._around.others, spots, strict=False)
        ]
        self._items = [
            utensils.item(self._around.item, self._unit, self._direction, items) for _ in range(self._around.number)
        ]
        self._pause = self._ground.copy()
        self._put_things(self._pause)
        self._scenes: list[tuple[float, float, Painter]] = []
        for step, own in zip(chapter.steps, steps, strict=True):
            acts = [act for act in hazards if step.start <= act.start < step.end]
            self._scenes.append((step.start, step.end, self._step(step, acts, own)))
        self._scenes.append((chapter.outcome.start, chapter.outcome.end, self._outcome(chapter.outcome, outcomes)))

    def paint(self, canvas: Image.Image, time: float) -> None:
        for start, end, painter in self._scenes:
            if start <= time < end:
                painter(canvas, time)
                return
        canvas.paste(self._pause)

    def _step(self, step: Step, hazards: list[Hazard], rng: np.random.Generator) -> Painter:
        scale = SCALES.get(step.verb) or rng.uniform(0.98, 1.12)
        stage = self._stage(rng, scale, LOWER.get(step.verb, 0.0))
        look, food = self._look_and_food(step.object, stage.unit, rng)
        danger = next(((act.start - step.start, act.end - step.start) for act in hazards if act.kind == FINGERS), None)
        holds = rng.random() < 0.5 or danger
        under = utensils.holding(look, danger) if step.verb == "cut" and holds else None
        action = utensils.make_action(step, food, look, rng, under)
        acts = [(act, PAINTERS[act.kind](look, rng.spawn(1)[0])) for act in hazards if act.kind in PAINTERS]
        helper = utensils.flat_hand(look) if step.verb in HELPED else None
        act_out = self._acted(action, stage, step.start, helper)

        def paint(canvas: Image.Image, time: float) -> None:
            act_out(canvas, time)
            for act, painter in acts:
                if act.start <= time < act.end:
                    painter(canvas, stage, time - act.start)

        return paint

    def _outcome(self, outcome: Outcome, rng: np.random.Generator) -> Painter:
        stage = self._stage(rng, 1.05, 0.0)
        look, food = self._look_and_food(outcome.object, stage.unit, rng)
        return self._acted(OUTCOMES[outcome.kind](food, look, rng), stage, outcome.start)

    def _acted(self, action: Action, stage: Stage, start: float, helper: Sprite | None = None) -> Painter:
        base = self._ground.copy()
        action.prepare(base, stage)
        if helper:
            stage.put(base, helper, (-0.24, 0.14))
        self._put_things(base)

        def paint(canvas: Image.Image, time: float) -> None:
            canvas.paste(base)
            action.act(canvas, stage, time - start)

        return paint

    def _stage(self, rng: np.random.Generator, scale: float, lower: float) -> Stage:
        x, y = (side / 2 + self._unit * rng.uniform(-0.03, 0.03) for side in self._size)
        return Stage((x, y + self._unit * lower), self._unit * scale, rng.uniform(-5, 5), self._left_handed)

    def _look_and_food(self, name: str, unit: float, rng: np.random.Generator) -> tuple[Look, Food]:
        look = tools.make_look(unit, self._direction, rng)
        look = dataclasses.replace(look, sleeve=varied(utensils.PAINTS[self._around.sleeve], rng, 0.05))
        return look, make_food(name, unit, self._direction, rng)

    def _put_things(self, canvas: Image.Image) -> None:
        """Paints the other foods and the row of items."""
        for food, spot in self._foods:
            self._middle.put(canvas, food.sprite(), spot)
        for number, item in enumerate(self._items):
            self._middle.put(canvas, item, (ROW[0], ROW[1] * (number - (len(self._items) - 1) / 2)))
