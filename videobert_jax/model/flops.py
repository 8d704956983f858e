"""Model FLOPs of a training step, for the utilisation that a run reports.

They count the matrix products of one forward and backward pass: a multiply-add is two, and the backward pass takes
twice the forward pass. Rematerialisation, normalisation, softmax, look-ups, and heads that read a few positions per row
are excluded. XLA's cost analysis is no alternative: it counts the body of a scan once for any number of layers.

D = hidden_size, F = mlp_size, L = num_layers.
"""

from videobert_jax.config import ModelConfig


def encoder_flops(config: ModelConfig, batch_size: int, sequence_length: int) -> float:
    """Model FLOPs of the layers over B rows of S positions. The forward pass takes

        L (B S (8 D^2 + 4 D F) + 4 B S^2 D)
           projections  MLP      attention

    (6 D F for a gated MLP). Attention counts whole rows, as they are computed, although packed sequences see only
    themselves.
    """
    size, tokens = config.hidden_size, batch_size * sequence_length
    mlp = (6 if config.gated else 4) * size * config.mlp_size
    return 3.0 * config.num_layers * (tokens * (8 * size**2 + mlp) + 4 * tokens * sequence_length * size)


def vocabulary_flops(config: ModelConfig, padded_size: int, predictions: int) -> float:
    """Model FLOPs of a prediction head; the forward pass takes 2 D^2 + 2 D padded_size per prediction."""
    return 3.0 * predictions * (2 * config.hidden_size**2 + 2 * config.hidden_size * padded_size)


def feature_flops(config: ModelConfig, batch_size: int, sequence_length: int, feature_size: int) -> float:
    """Model FLOPs of the map of clip features to embeddings; there is no gradient of the features."""
    return 2.0 * batch_size * sequence_length * 2 * feature_size * config.hidden_size
