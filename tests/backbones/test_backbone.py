"""Checks common to all backbones, and the backbones outside JAX."""

import numpy as np
import pytest

from videobert_jax.backbones import BACKBONES, REGISTRY, get_backbone
from videobert_jax.errors import ConfigError


def test_every_backbone_has_a_name_of_its_own_and_judges_settings():
    assert len(REGISTRY) == len(BACKBONES)
    for name, backbone in REGISTRY.items():
        assert backbone.name == name
        with pytest.raises(ConfigError, match="backbone"):
            backbone.check(30, 224, "no such weights")


def test_an_image_network_looks_at_three_moments():
    check = get_backbone("efficientnet_lite0").check
    check(3, 33, "")
    with pytest.raises(ConfigError, match=r"clip_frames is 2; backbone efficientnet_lite0 needs at least 3$"):
        check(2, 33, "")
    with pytest.raises(ConfigError, match="efficientnet_lite0 has its own weights"):
        check(3, 33, "weights.pth")


def test_of_precomputed_features_one_row_makes_a_clip():
    backbone = get_backbone("precomputed")
    backbone.check(1, 128, "")
    with pytest.raises(ConfigError, match=r"precomputed has its own weights: leave config\.prepare\.backbone_w"):
        backbone.check(1, 128, "weights.pth")
    rows = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    means = backbone.load("")(rows)
    assert means.dtype == np.float32
    np.testing.assert_array_equal(means, [[4, 5, 6, 7], [16, 17, 18, 19]])
