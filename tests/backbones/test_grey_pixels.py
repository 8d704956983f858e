"""The clip itself as its feature."""

import numpy as np
import pytest

from videobert_jax.backbones import get_backbone
from videobert_jax.backbones.grey_pixels import SIDE, embed
from videobert_jax.errors import ConfigError


def test_each_number_is_the_mean_of_its_area_in_grey() -> None:
    shown = np.random.default_rng(0).integers(0, 256, (2, 3, SIDE, SIDE), dtype=np.uint8)
    clips = np.repeat(np.kron(shown, np.ones((2, 2), np.uint8))[..., None], 3, axis=-1)
    features = embed(clips)
    assert (features.shape, features.dtype) == ((2, 4 * SIDE**2), np.float32)
    *changes, mean = features.reshape(2, 4, -1).swapaxes(0, 1)
    expected = shown.reshape(2, 3, -1) / 255
    np.testing.assert_allclose(mean, expected.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(np.stack(changes, axis=1), expected - expected.mean(axis=1, keepdims=True), atol=1e-6)
    uneven = clips.copy()
    uneven[0, 0, 0, 0], uneven[0, 0, 0, 1] = 0, 100  # of an area of four pixels
    area = (0 + 100 + 2 * float(shown[0, 0, 0, 0])) / 4
    changed = embed(uneven).reshape(2, 4, -1)
    assert (changed[0, 0, 0] + changed[0, 3, 0]) * 255 == pytest.approx(area, abs=1)  # rounded to a whole level


@pytest.mark.parametrize("frames", [1, 3, 5, 30])
def test_a_clip_that_does_not_move_has_no_motion(frames: int) -> None:
    still = np.random.default_rng(0).integers(0, 256, (1, 1, 40, 40, 3), dtype=np.uint8).repeat(frames, axis=1)
    motion, appearance = np.split(embed(still)[0], [frames * SIDE**2])
    assert not motion.any()
    assert appearance.all()


def test_it_takes_any_clip_and_no_weights() -> None:
    backbone = get_backbone("pixels")
    backbone.check(1, 32, "")
    with pytest.raises(ConfigError, match="pixels has its own weights: leave"):
        backbone.check(1, 32, "folder")
