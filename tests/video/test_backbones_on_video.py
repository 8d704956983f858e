"""A video network during preparing: its feature is the clip's, and its weights are the user's file."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax import backbones
from videobert_jax.backbones import VideoBackbone
from videobert_jax.config import PrepareConfig
from videobert_jax.errors import ConfigError
from videobert_jax.prepare import pipeline, stages
from videobert_jax.prepare.factors import factors
from videobert_jax.prepare.scan import Corpus
from videobert_jax.video import features

NAME = "mean_colour"


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Registers a network that weights the mean colour of a clip by the three numbers in its file."""
    network = VideoBackbone(
        name=NAME,
        image_size=8,
        feature_size=3,
        min_frames=4,
        multiple=2,
        checkpoint="three.npy",
        load=np.load,
        apply=lambda params, clips: clips.astype(jnp.float32).mean(axis=(1, 2, 3)) * params[None],
    )
    monkeypatch.setitem(backbones.REGISTRY, NAME, network)
    np.save(tmp_path / "three.npy", np.array([1, 2, 3], np.float32))
    return PrepareConfig(backbone=NAME, backbone_weights=str(tmp_path / "three.npy"), clip_frames=4, image_size=32)


def test_the_feature_of_a_clip_is_the_networks(config, tmp_path, monkeypatch):
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, 32, 32, 3), dtype=np.uint8)
    monkeypatch.setattr(features, "read_clips", lambda *_, **__: iter(clips))
    content = features.features_of(tmp_path / "video.mp4", config)
    np.testing.assert_allclose(content.features, clips.mean(axis=(1, 2, 3)) * [[1, 2, 3]], rtol=1e-3)
    assert factors(PrepareConfig(backbone=NAME)) == ()


def test_settings_that_it_cannot_work_with_are_refused_before_anything_is_read(config):
    stages.check(config)
    for change, message in [
        ({"clip_frames": 5}, "clip_frames is 5; backbone mean_colour needs at least 4, a multiple of 2"),
        ({"image_size": 33}, "image_size is 33"),
        ({"backbone_weights": ""}, "download three.npy and name the file with --config.prepare.backbone_weights"),
        ({"backbone": "efficientnet_lite0"}, "efficientnet_lite0 has its own weights"),
    ]:
        with pytest.raises(ConfigError, match=message):
            stages.check(dataclasses.replace(config, **change))


def test_other_weights_under_the_same_name_are_prepared_anew(config, tmp_path):
    corpus = Corpus((), None, ())
    keys = pipeline._key(config, corpus), pipeline._features_key(config)
    assert (pipeline._key(config, corpus), pipeline._features_key(config)) == keys
    np.save(tmp_path / "three.npy", np.array([1, 2, 3, 4], np.float32))
    assert pipeline._key(config, corpus) != keys[0]
    assert pipeline._features_key(config) != keys[1]


@pytest.mark.parametrize("error", [ValueError("no checkpoint"), OSError("no disk")])
def test_weights_that_cannot_be_read_are_an_error_of_the_config(config, monkeypatch, error):
    def load(_):
        raise error

    broken = dataclasses.replace(backbones.REGISTRY[NAME], load=load)
    for backbone in (broken, backbones.ForeignBackbone(NAME, check=broken.check, load=load, suits=broken.suits)):
        monkeypatch.setitem(backbones.REGISTRY, NAME, backbone)
        with pytest.raises(ConfigError, match=f"the weights of backbone mean_colour cannot be read: {error}"):
            features._embedder(NAME, f"{type(backbone)} {error}")
