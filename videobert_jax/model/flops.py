"""Floating-point operations of a training step, for the utilisation that a run reports.

XLA's own count reads the body of a scan once, whatever the number of layers, so they are counted here.
"""

from videobert_jax.config import ModelConfig


def step_flops(config: ModelConfig, padded_size: int, batch_size: int, sequence_length: int, predictions: int) -> float:
    """Model FLOPs of one forward and backward pass over a batch: its matrix products, a multiply-add being two.

    With D = hidden_size, F = mlp_size, L = num_layers, V = padded_size and B, S, K the arguments, forward takes

        L (B S (8 D^2 + 4 D F) + 4 B S^2 D)  +  B K (2 D^2 + 2 D V)
           projections  MLP      attention         prediction head

    (6 D F for a gated MLP), and backward twice that. Attention counts whole rows, although packed sequences see only
    themselves, because that is what is computed. What remat computes again is not counted. Normalisation, softmax,
    look-ups and the alignment head, which reads a few positions a row, are left out.
    """
    size, layers = config.hidden_size, config.num_layers
    tokens = batch_size * sequence_length
    mlp = (6 if config.gated else 4) * size * config.mlp_size
    encoder = layers * (tokens * (8 * size**2 + mlp) + 4 * tokens * sequence_length * size)
    head = batch_size * predictions * (2 * size**2 + 2 * size * padded_size)
    return 3.0 * (encoder + head)
