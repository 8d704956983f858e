"""What of a feature tells clips apart."""

import dataclasses

import numpy as np
import pytest

from videobert_jax.backbones.grey_pixels import SIDE
from videobert_jax.config import PrepareConfig
from videobert_jax.errors import ConfigError
from videobert_jax.prepare import pipeline
from videobert_jax.prepare.factors import factors
from videobert_jax.visual_words import vocabulary

PIXELS = PrepareConfig(backbone="pixels", clip_frames=2)
BORDER = 2 * SIDE**2  # between motion and appearance


def features(rng: np.random.Generator, clips: int = 300) -> np.ndarray:
    """Clips that move in one of six ways, each on one of five pictures."""
    ways, pictures = rng.normal(size=(6, BORDER)), rng.normal(size=(5, SIDE**2))
    noise = 0.01 * rng.normal(size=(clips, BORDER + SIDE**2))
    return np.concatenate([ways[np.arange(clips) % 6], pictures[np.arange(clips) % 5]], axis=1) + noise


@pytest.mark.parametrize(("distinguish", "number"), [("motion", 6), ("appearance", 5)])
def test_words_tell_clips_apart_by_that_alone(distinguish: str, number: int) -> None:
    config = dataclasses.replace(PIXELS, distinguish=distinguish)
    clips = features(np.random.default_rng(0))
    words = vocabulary.fit(clips, number, 1, seed=0, factors=factors(config))
    kind = np.arange(len(clips)) % number
    pairs = {*zip(words.assign(clips).tolist(), kind.tolist(), strict=True)}
    assert len(pairs) == number  # a word for each kind, whatever the rest of the clip is


def test_both_are_factors_of_their_own() -> None:
    motion, appearance = factors(PIXELS)
    assert sum(part.size for part in motion) == BORDER
    assert sum(part.size for part in appearance) == SIDE**2


@pytest.mark.parametrize(
    "config",
    [
        PrepareConfig(backbone="precomputed", distinguish="motion"),
        PrepareConfig(backbone="s3d", distinguish="appearance"),
        PrepareConfig(backbone="pixels", clip_frames=1, distinguish="motion"),
    ],
)
def test_features_that_do_not_tell_them_apart_are_refused(config: PrepareConfig) -> None:
    with pytest.raises(ConfigError, match=r"config.prepare.distinguish is '\w+', but features of backbone \w+, of"):
        factors(config)
    assert factors(dataclasses.replace(config, distinguish="both")) == ()


def test_words_leave_the_whole_frame_out() -> None:
    config, whole = PrepareConfig(), PrepareConfig(whole_frame=True)
    assert sum(factors(whole), ())[:-1] == sum(factors(config), ())
    assert factors(whole)[1][-1].components == 0
    assert pipeline._features_key(whole) != pipeline._features_key(config)
    assert pipeline._settings(whole) != pipeline._settings(config)
    assert "whole_frame" not in pipeline._settings(config)  # what was prepared before the setting came stays valid


@pytest.mark.parametrize("backbone", ["pixels", "precomputed", "s3d"])
def test_only_an_image_network_sees_whole_frames_beside(backbone: str) -> None:
    with pytest.raises(ConfigError, match=rf"config.prepare.whole_frame is True, but backbone {backbone} chooses by"):
        factors(PrepareConfig(backbone=backbone, whole_frame=True))


def test_a_revised_backbone_has_its_features_computed_again_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    configs = PIXELS, PrepareConfig()
    before = [pipeline._features_key(config) for config in configs]
    monkeypatch.setitem(pipeline.REVISIONS, "pixels", 99)
    pixels, others = (pipeline._features_key(config) for config in configs)
    assert pixels != before[0]
    assert others == before[1]
