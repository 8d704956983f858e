"""Frozen feature networks for images or clips.

To add one, add a file that defines a `Backbone`, a `VideoBackbone` or, outside JAX, a `ForeignBackbone`, and one line
in the registry.
"""

from videobert_jax.backbones import efficientnet_lite, grey_pixels, precomputed, resnet, s3d, transformers_vision
from videobert_jax.backbones.backbone import Backbone, ForeignBackbone, VideoBackbone
from videobert_jax.errors import ConfigError

BACKBONES: list[Backbone | VideoBackbone | ForeignBackbone] = [
    efficientnet_lite.EFFICIENTNET_LITE0,
    s3d.TORCHVISION,
    s3d.MIL_NCE,
    *resnet.RESNETS,
    transformers_vision.TRANSFORMERS,
    precomputed.PRECOMPUTED,
    grey_pixels.PIXELS,
]
REGISTRY = {backbone.name: backbone for backbone in BACKBONES}


def get_backbone(name: str) -> Backbone | VideoBackbone | ForeignBackbone:
    """Returns the backbone called `name`. Raises ConfigError that lists the known names."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise ConfigError(f"backbone {name!r} is not known; choose one of {', '.join(sorted(REGISTRY))}") from None
