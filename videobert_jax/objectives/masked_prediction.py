"""Masked prediction of words and visual words (VideoBERT, section 3.3)."""

import jax
import jax.numpy as jnp

from videobert_jax.objectives.objective import Arrays, Metrics, summed
from videobert_jax.tokens import Mode


def metrics(logits: jax.Array, batch: Arrays, text_size: int) -> Metrics:
    """Cross-entropy, in nats, and top-1 accuracy of each of `selections`, for logits float32 [B, K, padded_size]."""
    targets = batch["prediction_targets"]
    logit = picked(logits, targets)
    loss = jax.nn.logsumexp(logits, axis=-1) - logit
    correct = (logit >= jnp.max(logits, axis=-1)).astype(jnp.float32)
    chosen = selections(batch, text_size)
    return {**summed("loss", loss, chosen), **summed("accuracy", correct, chosen)}


@jax.custom_vjp
def picked(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns `logits[b, k, targets[b, k]]`, [B, K], for logits [B, K, V] and targets int32 [B, K].

    The custom gradient is computed in one pass over the logits, by far the largest array of a small model; JAX's own,
    as in optax's cross-entropy, would scatter this part into zeros and add it.
    """
    return jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]


def _picked_forward(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return picked(logits, targets), (logits, targets)


def _picked_backward(inputs: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, None]:
    logits, targets = inputs
    is_target = jax.lax.broadcasted_iota(targets.dtype, logits.shape, 2) == targets[..., None]
    return jnp.where(is_target, gradient[..., None], 0.0).astype(logits.dtype), None


picked.defvjp(_picked_forward, _picked_backward)


def selections(batch: Arrays, text_size: int) -> dict[str, jax.Array]:
    """Returns weights float32 [B, K] of each modality's predictions, in all modes of sequence and in each.

    `text_size` is the first visual id; `data.batch.SCHEMA` describes the batch.
    """
    weights = batch["prediction_weights"]
    is_video = batch["prediction_targets"] >= text_size
    sequence_ids = jnp.take_along_axis(batch["sequence_ids"], batch["prediction_positions"], axis=1)
    # An unused prediction may point at padding, sequence 0; its weight is 0, so its mode does not matter.
    modes = jnp.take_along_axis(batch["sequence_modes"], jnp.maximum(sequence_ids - 1, 0), axis=1)
    return {
        "text": weights * ~is_video,
        "video": weights * is_video,
        "text_in_text": weights * (~is_video & (modes == Mode.TEXT)),
        "text_in_joint": weights * (~is_video & (modes == Mode.JOINT)),
        "video_in_video": weights * (is_video & (modes == Mode.VIDEO)),
        "video_in_joint": weights * (is_video & (modes == Mode.JOINT)),
    }
