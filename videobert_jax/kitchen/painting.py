"""Painting primitives: anti-aliased shapes, relief shading, soft shadows and procedural noise.

Lengths are in *frame sides*: 1.0 is the shorter side of the video frame, at any resolution. The origin of a sketch is
its centre; x points right and y points down.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Color = tuple[int, int, int]
Point = tuple[float, float]

SUPERSAMPLING = 3  # shapes are drawn this many times larger, then reduced
ANGLE_STEP = 3  # degrees; the resolution of a sprite's rotated copies


class Sketch:
    """A transparent canvas of `width` x `height` frame sides at `unit` pixels per frame side, drawn supersampled."""

    def __init__(self, width: float, height: float, unit: float):
        self._scale = unit * SUPERSAMPLING
        size = tuple(max(1, round(side * unit)) * SUPERSAMPLING for side in (width, height))
        self._image = Image.new("RGBA", (size[0], size[1]))
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self._centre = (size[0] / 2, size[1] / 2)

    def polygon(self, points: Sequence[Point], color: Color, alpha: int = 255) -> None:
        """Draws a filled polygon."""
        self._draw.polygon([self._pixel(point) for point in points], fill=(*color, alpha))

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color, alpha: int = 255) -> None:
        """Draws a filled ellipse around (x, y) with radii `rx` and `ry`."""
        (left, top), (right, bottom) = self._pixel((x - rx, y - ry)), self._pixel((x + rx, y + ry))
        self._draw.ellipse((left, top, right, bottom), fill=(*color, alpha))

    def box(self, x: float, y: float, rx: float, ry: float, radius: float, color: Color, alpha: int = 255) -> None:
        """Draws a filled rectangle around (x, y) with rounded corners."""
        (left, top), (right, bottom) = self._pixel((x - rx, y - ry)), self._pixel((x + rx, y + ry))
        self._draw.rounded_rectangle((left, top, right, bottom), radius * self._scale, fill=(*color, alpha))

    def line(self, points: Sequence[Point], width: float, color: Color, alpha: int = 255) -> None:
        """Draws a line through the points with flat ends."""
        pixels = [self._pixel(point) for point in points]
        self._draw.line(pixels, fill=(*color, alpha), width=max(1, round(width * self._scale)), joint="curve")

    def stroke(self, points: Sequence[Point], width: float, color: Color) -> None:
        """Draws a line with round ends."""
        self.line(points, width, color)
        for x, y in (points[0], points[-1]):
            self.ellipse(x, y, width / 2, width / 2, color)

    def image(self) -> Image.Image:
        """The drawing, RGBA, at its final size."""
        return self._image.reduce(SUPERSAMPLING)

    def _pixel(self, point: Point) -> Point:
        return (self._centre[0] + point[0] * self._scale, self._centre[1] + point[1] * self._scale)


class Sprite:
    """An RGBA picture that caches its rotated copies."""

    def __init__(self, image: Image.Image):
        self.image = image
        self._copies: dict[tuple[int, bool], Image.Image] = {}

    def rotated(self, degrees: float, mirrored: bool) -> Image.Image:
        """The picture, mirrored left to right if asked, then turned counter-clockwise on the screen."""
        step = round(degrees / ANGLE_STEP) % (360 // ANGLE_STEP)
        if (step, mirrored) not in self._copies:
            image = self.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else self.image
            if step:
                image = image.rotate(step * ANGLE_STEP, Image.Resampling.BILINEAR, expand=True)
            self._copies[step, mirrored] = image
        return self._copies[step, mirrored]


class Stage:
    """The region of the canvas for one step, with its own centre (pixels), scale, tilt (degrees) and handedness.

    `unit` is in pixels per frame side and includes the scale of the step; `mirrored` means left-handed.
    """

    def __init__(self, centre: Point, unit: float, tilt: float, mirrored: bool):
        self.centre, self.unit, self.tilt, self.mirrored = centre, unit, tilt, mirrored
        self._cos, self._sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))

    def put(
        self, canvas: Image.Image, sprite: Sprite, at: Point, degrees: float = 0.0, anchor: Point = (0.0, 0.0)
    ) -> None:
        """Pastes the sprite, turned by `degrees`, so that its point `anchor` (from its centre) lies at `at`."""
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        x = at[0] - (anchor[0] * cos + anchor[1] * sin)
        y = at[1] - (-anchor[0] * sin + anchor[1] * cos)
        turn = -degrees if self.mirrored else degrees
        image = sprite.rotated(turn + self.tilt, self.mirrored)
        left, top = self.pixel(x, y)
        canvas.paste(image, (round(left - image.width / 2), round(top - image.height / 2)), image)

    def pixel(self, x: float, y: float) -> Point:
        """Converts a point in frame sides from the centre of the stage to pixels on the canvas."""
        x = -x if self.mirrored else x
        return (
            self.centre[0] + (x * self._cos + y * self._sin) * self.unit,
            self.centre[1] + (y * self._cos - x * self._sin) * self.unit,
        )


def blob(x: float, y: float, rx: float, ry: float, rng: np.random.Generator, wobble: float = 0.05) -> list[Point]:
    """The outline of an ellipse whose radius varies by about `wobble`."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(angles)
    for order in (2, 3, 5):
        radius += wobble * rng.uniform(-1, 1) * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
    return list(zip(x + rx * radius * np.cos(angles), y + ry * radius * np.sin(angles), strict=True))


def relief(
    image: Image.Image, light: float, gloss: float = 0.3, rough: float = 0.0, tint: Sequence[float] = (1.0, 1.0, 1.0)
) -> Image.Image:
    """Shades a flat RGBA picture as a rounded body lit from the direction `light` (radians; -pi/2 is from above).

    The blurred silhouette (alpha channel) serves as the height of the surface; its slope gives diffuse light and a
    highlight. `gloss` is the strength of the highlight, `rough` the amplitude of the mottling, both 0 to 1; the
    mottling depends only on the size of the picture. `tint` holds factors of red, green and blue.
    """
    pixels = np.asarray(image, np.float32)
    spread = 0.11 * min(image.size)
    height = np.asarray(image.getchannel("A").filter(ImageFilter.GaussianBlur(spread)), np.float32) / 255
    slope_y, slope_x = np.gradient(height * spread * 2.2)
    facing = (1.0 - 0.75 * (slope_x * math.cos(light) + slope_y * math.sin(light))) / np.sqrt(
        1 + slope_x**2 + slope_y**2
    )
    diffuse = 0.30 + 0.68 * facing
    if rough:
        diffuse *= 1 + rough * (value_noise(image.size, 6, np.random.default_rng(image.width)) - 0.5)
    shine = 255 * gloss * np.clip((facing - 1.1) / 0.15, 0, 1) ** 1.5
    pixels[..., :3] = pixels[..., :3] * (diffuse[..., None] * np.asarray(tint, np.float32)) + shine[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGBA")


def shadowed(image: Image.Image, unit: float, strength: float = 0.45) -> Image.Image:
    """The picture over its soft shadow, with a margin; the centre stays the centre."""
    margin = max(2, round(0.045 * unit))
    canvas = Image.new("RGBA", (image.width + 2 * margin, image.height + 2 * margin))
    alpha = Image.new("L", canvas.size)
    alpha.paste(image.getchannel("A"), (margin, margin + margin // 3))
    shadow = alpha.filter(ImageFilter.GaussianBlur(margin / 2.2)).point(lambda value: value * strength)
    canvas.putalpha(shadow)
    canvas.alpha_composite(image, (margin, margin))
    return canvas


def value_noise(size: tuple[int, int], cells: int, rng: np.random.Generator, octaves: int = 2) -> np.ndarray:
    """Smooth noise, float32 [height, width] in [0, 1], with about `cells` bumps along the longer side."""
    width, height = size
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        across = cells * 2**octave
        grid = rng.random((max(2, round(across * height / max(size))), max(2, round(across * width / max(size)))))
        bumps = Image.fromarray((grid * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(bumps, np.float32) / 255 / 2**octave
    return total / (2 - 2 / 2**octaves)


def mix(first: Color, second: Color, share: float) -> Color:
    """Interpolates between two colours."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def varied(color: Color, rng: np.random.Generator, amount: float = 0.12) -> Color:
    """The colour with brightness and hue varied by up to about `amount`."""
    gains = rng.uniform(1 - amount, 1 + amount) * rng.uniform(1 - amount / 2, 1 + amount / 2, 3)
    red, green, blue = (round(min(255.0, channel * gain)) for channel, gain in zip(color, gains, strict=True))
    return red, green, blue
