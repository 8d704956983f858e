"""How the visual vocabulary splits the features of a backbone into factors."""

import dataclasses
from collections.abc import Sequence

from videobert_jax.backbones import Backbone, get_backbone
from videobert_jax.backbones.grey_pixels import PIXELS, SIDE
from videobert_jax.config import PrepareConfig
from videobert_jax.errors import ConfigError
from videobert_jax.video.features import COLOUR_BINS
from videobert_jax.visual_words.vocabulary import Part

Factors = tuple[tuple[Part, ...], ...]


def factors(config: PrepareConfig) -> Factors:
    """The parts of a feature that `prepare.distinguish` asks for, by factor; none: features are not taken apart.

    Raises ConfigError if it asks for one of motion and appearance where features do not tell them apart, or for whole
    frames where they are not chosen from.
    """
    if config.whole_frame and not isinstance(get_backbone(config.backbone), Backbone):
        raise ConfigError(
            f"config.prepare.whole_frame is True, but backbone {config.backbone} chooses by itself what it looks at: "
            "leave it at False"
        )
    known = _motion_and_appearance(config)
    if config.distinguish == "both":
        return known
    if len(known) < 2:
        raise ConfigError(
            f"config.prepare.distinguish is {config.distinguish!r}, but features of backbone {config.backbone}, of "
            f"{config.clip_frames} frames, do not tell motion and appearance apart: leave it at 'both'"
        )
    motion, appearance = known
    if config.distinguish == "motion":
        return ((*motion, *_left_out(appearance)),)
    return ((*_left_out(motion), *appearance),)


def _left_out(parts: Sequence[Part]) -> list[Part]:
    return [dataclasses.replace(part, components=0) for part in parts]


def _motion_and_appearance(config: PrepareConfig) -> Factors:
    """Both (see `video.features` and `backbones.grey_pixels`), or none for backbones that do not tell them apart."""
    network = get_backbone(config.backbone)
    if network is PIXELS and config.clip_frames > 1:
        return tuple((Part(count * SIDE**2, 48, whitening=0.5),) for count in (config.clip_frames, 1))
    if not isinstance(network, Backbone):
        return ()
    size = network.feature_size
    motion = (Part(size, 16, whitening=0.5), Part(size, 16, whitening=0.5))
    # The weights affect the embedding rows initialised from the centroids: appearance has many more directions to learn
    # than motion.
    appearance = (Part(size, 64, weight=2.0), Part(COLOUR_BINS**3, 32, weight=2.0))
    return motion, (*appearance, *([Part(size, 0)] if config.whole_frame else []))
