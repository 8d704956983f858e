"""The parts of a video that are the same in every frame: worktop, light and sensor noise."""

import math

import numpy as np
from PIL import Image

from videobert_jax.kitchen.painting import Color, value_noise, varied

NOISE_FRAMES = 6


def backdrop(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Returns a random worktop, RGB: planks, tiles, marble, granite, cloth or a plain gradient."""
    kinds = (_planks, _tiles, _marble, _granite, _cloth, _plain)
    palette: tuple[Color, ...] = (
        (170, 120, 76), (120, 84, 56), (206, 176, 134), (222, 218, 208), (150, 160, 168), (92, 108, 122),
        (176, 196, 180), (200, 150, 140), (132, 150, 176), (216, 200, 150), (70, 72, 76),
    )  # fmt: skip
    color = np.array(varied(palette[rng.integers(len(palette))], rng, 0.2), np.float32)
    texture = kinds[rng.integers(len(kinds))](size, rng)
    pixels = color * texture if texture.ndim == 3 else color * texture[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _planks(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    width, height = size
    grain = value_noise((max(2, width // 8), height), int(rng.integers(24, 48)), rng)
    grain = np.asarray(Image.fromarray(grain).resize(size, Image.Resampling.BILINEAR))
    plank = np.arange(height) * int(rng.integers(3, 7)) / height + rng.random()
    tone = rng.uniform(0.85, 1.12, 10)[plank.astype(int)]
    gap = np.where(plank % 1 < 0.035, 0.55, 1.0)
    texture = (0.8 + 0.4 * grain) * (tone * gap)[:, None]
    return texture.T if width == height and rng.random() < 0.5 else texture


def _tiles(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    width, height = size
    count = int(rng.integers(3, 7))
    x, y = np.arange(width) * count / max(size) + rng.random(), np.arange(height) * count / max(size) + rng.random()
    tone = rng.uniform(0.9, 1.08, (9, 9))[y.astype(int)][:, x.astype(int)]
    joint = (y[:, None] % 1 < 0.06) | (x[None, :] % 1 < 0.06)
    return np.where(joint, rng.choice([0.65, 1.25]), tone) * (0.94 + 0.12 * value_noise(size, 10, rng))


def _marble(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    width, height = size
    across = np.arange(width)[None, :] * rng.uniform(-1, 1) + np.arange(height)[:, None] * rng.uniform(0.4, 1)
    veins = np.abs(np.sin(across * rng.uniform(0.04, 0.1) + 9 * value_noise(size, 4, rng, 3)))
    return 1.12 - rng.uniform(0.2, 0.5) * (1 - veins) ** 3


def _granite(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    speckles = rng.random((size[1], size[0]), np.float32)
    return 0.85 + 0.25 * value_noise(size, 40, rng) + 0.25 * (speckles > 0.95) - 0.3 * (speckles < 0.06)


def _cloth(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    width, height = size
    count, tint = rng.uniform(4, 10), rng.uniform(0.7, 1.2, 3)
    x, y = np.arange(width) * count / max(size), np.arange(height) * count / max(size)
    stripes = (x[None, :] % 1 < 0.5) * 0.5 + (y[:, None] % 1 < 0.5) * (0.5 if rng.random() < 0.7 else 0.0)
    weave = 1 + 0.05 * ((np.arange(width)[None, :] + np.arange(height)[:, None]) % 2)
    return (1 - stripes[..., None] * (1 - tint)) * weave[..., None] * (0.9 + 0.2 * value_noise(size, 5, rng))[..., None]


def _plain(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return 0.85 + 0.3 * value_noise(size, 2, rng, 1)


def lamp(size: tuple[int, int], light: float, rng: np.random.Generator) -> Image.Image:
    """Returns the light as RGB factors (255: unchanged), brighter towards the lamp and darker in the corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]))
    level = rng.uniform(0.82, 1.0) + rng.uniform(0, 0.15) * (x * math.cos(light) + y * math.sin(light))
    level = level - rng.uniform(0, 0.14) * (x**2 + y**2)
    tint = np.array([1.0, rng.uniform(0.93, 1.0), rng.uniform(0.82, 1.0)])
    return Image.fromarray(np.clip(255 * level[..., None] * tint, 0, 255).astype(np.uint8))


def grain(size: tuple[int, int], rng: np.random.Generator) -> list[Image.Image]:
    """Returns `NOISE_FRAMES` RGB images of sensor noise around 128."""
    noise = rng.normal(128, rng.uniform(0.5, 3.2), (NOISE_FRAMES, size[1], size[0], 1)).round()
    return [Image.fromarray(frame.repeat(3, axis=2)) for frame in np.clip(noise, 0, 255).astype(np.uint8)]
