"""Alignment: whether the words and clips of a joint sequence match (VideoBERT, section 3.3)."""

import jax
import jax.numpy as jnp
import optax

from videobert_jax.objectives.objective import Arrays, Metrics, summed


def metrics(logits: jax.Array, batch: Arrays) -> Metrics:
    """Binary cross-entropy, in nats, and accuracy, for logits float32 [B, N], positive for a match."""
    aligned = batch["alignment_labels"] > 0
    loss = optax.sigmoid_binary_cross_entropy(logits, aligned.astype(jnp.float32))
    correct = ((logits > 0) == aligned).astype(jnp.float32)
    chosen = selections(batch)
    return {**summed("loss", loss, chosen), **summed("accuracy", correct, chosen)}


def selections(batch: Arrays) -> dict[str, jax.Array]:
    """Returns weights float32 [B, N]: 1 for joint sequences, else 0."""
    return {"alignment": batch["alignment_weights"]}
