"""How the visual vocabulary reads the features of a backbone."""

from videobert_jax.backbones import Backbone, get_backbone
from videobert_jax.video.features import COLOUR_BINS
from videobert_jax.visual_words.vocabulary import Part


def factors(backbone: str) -> tuple[tuple[Part, ...], ...]:
    """How the vocabulary has to read the features: what moves and how, then what it is (see `video.features`).

    Any feature but that of an image network in JAX is read as it is: no factors.
    """
    network = get_backbone(backbone)
    if not isinstance(network, Backbone):
        return ()
    size = network.feature_size
    motion = (Part(size, 16, whitening=0.5), Part(size, 16, whitening=0.5))
    # The weight tells in the embedding rows that come from the centroids: what it is has many more directions to be
    # learnt in than how it moves.
    appearance = (Part(size, 64, weight=2.0), Part(COLOUR_BINS**3, 32, weight=2.0))
    return motion, appearance
