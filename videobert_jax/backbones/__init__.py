"""Frozen feature networks. One more is one more file that makes a `Backbone`, and one line in the registry."""

from videobert_jax.backbones import efficientnet_lite
from videobert_jax.backbones.backbone import Backbone

REGISTRY = {
    backbone.name: backbone
    for backbone in [
        efficientnet_lite.EFFICIENTNET_LITE0,
    ]
}


def get_backbone(name: str) -> Backbone:
    """The backbone of that name. Raises ValueError that lists the known names."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise ValueError(f"backbone {name!r} is not known; choose one of {', '.join(sorted(REGISTRY))}") from None
