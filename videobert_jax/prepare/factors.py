"""How the visual vocabulary splits the features of a backbone into factors."""

from videobert_jax.backbones import Backbone, get_backbone
from videobert_jax.video.features import COLOUR_BINS
from videobert_jax.visual_words.vocabulary import Part


def factors(backbone: str) -> tuple[tuple[Part, ...], ...]:
    """Returns motion and appearance (see `video.features`) for image networks in JAX, and none for other backbones."""
    network = get_backbone(backbone)
    if not isinstance(network, Backbone):
        return ()
    size = network.feature_size
    motion = (Part(size, 16, whitening=0.5), Part(size, 16, whitening=0.5))
    # The weights affect the embedding rows initialised from the centroids: appearance has many more directions to learn
    # than motion.
    appearance = (Part(size, 64, weight=2.0), Part(COLOUR_BINS**3, 32, weight=2.0))
    return motion, appearance
