"""Contrastive learning over the whole batch of all devices (van den Oord et al. 2018; Radford et al. 2021)."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from videobert_jax.objectives.objective import Arrays, Metrics, summed

MASKED = -1e9  # the similarity of what is no candidate


def losses(
    anchors: jax.Array, candidates: jax.Array, scale: jax.Array, excluded: jax.Array, bias: jax.Array | None = None
) -> tuple[jax.Array, ...]:
    """Cross-entropy of each anchor's own candidate among all, in nats, and whether that is the nearest: float32 [M].

    Args:
      anchors: float32 [M, D], of unit length; as `candidates`.
      candidates: candidate m belongs to anchor m.
      scale: scalar factor of similarities.
      excluded: bool [M, M], candidates that do not count for an anchor; never its own.
      bias: float32 [M], added to the similarities with each candidate.
    """
    similarities = scale * anchors @ candidates.T
    similarities = jnp.where(excluded, MASKED, similarities if bias is None else similarities + bias[None, :])
    own = jnp.diagonal(similarities)
    return jax.nn.logsumexp(similarities, axis=1) - own, (own >= similarities.max(axis=1)).astype(jnp.float32)


def excluded(weights: jax.Array, *keys: jax.Array) -> jax.Array:
    """Bool [M, M]: padding, weight 0, and candidates that share a key with the anchor, so that they are right too."""
    alike = jnp.any(jnp.stack([one[:, None] == one[None, :] for one in keys]), axis=0)
    return (alike | (weights == 0)[None, :]) & ~jnp.eye(len(weights), dtype=bool)


@dataclasses.dataclass(frozen=True)
class TextToVideo:
    """Texts and the segments they describe, both ways, of `dual_encoder.Outputs` and rows of `data.rows.pairs`."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Both ways count alike."""
        return {"text_to_video": 0.5, "video_to_text": 0.5}

    @property
    def whole_batch(self) -> bool:
        """Each pair is compared with all others."""
        return True

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """The losses of both ways, and how often the right one is the nearest in the batch."""
        texts, videos = (_flat(outputs.vectors[:, first::2]) for first in (0, 1))
        weights = _flat(batch["pair_weights"])
        others = excluded(weights, _flat(batch["text_keys"]), _flat(batch["video_keys"]))
        metrics: Metrics = {}
        for name, one, another in (("text_to_video", texts, videos), ("video_to_text", videos, texts)):
            loss, nearest = losses(one, another, outputs.scale, others)
            metrics |= summed("loss", loss, {name: weights}) | summed("accuracy", nearest, {name: weights})
        return metrics

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """The number of pairs."""
        return dict.fromkeys(self.weights, jnp.sum(batch["pair_weights"]))


@dataclasses.dataclass(frozen=True)
class NextVideo:
    """The next video among those of all viewers of a batch, of `dual_encoder.Outputs` and rows of `data.rows.viewings`.

    A viewer is the mean of the videos watched. Frequent videos are drawn often as those of others, for which their
    similarities are corrected by the logarithm of their frequency (Yi et al. 2019).
    """

    @property
    def weights(self) -> Mapping[str, float]:
        """There is one loss."""
        return {"next": 1.0}

    @property
    def whole_batch(self) -> bool:
        """Each viewer's next video is compared with all others'."""
        return True

    def __call__(self, outputs: Any, batch: Arrays) -> Metrics:
        """The loss, and how often the right one is the nearest in the batch."""
        viewers = taste(outputs.vectors, batch["history_weights"])
        weights = batch["viewer_weights"]
        others = excluded(weights, batch["user_keys"], batch["video_keys"])
        bias = -batch["log_frequencies"]
        loss, nearest = losses(viewers, outputs.vectors[:, 0], outputs.scale, others, bias)
        return {**summed("loss", loss, {"next": weights}), **summed("accuracy", nearest, {"next": weights})}

    def counts(self, batch: Arrays) -> dict[str, jax.Array]:
        """The number of viewers."""
        return {"next": jnp.sum(batch["viewer_weights"])}


def taste(vectors: jax.Array, weights: jax.Array) -> jax.Array:
    """Unit vectors [B, D] of viewers: the means of vectors [B, N, D] of what they watched, by weights [B, N]."""
    sums = jnp.einsum("bn,bnd->bd", weights, vectors)
    return sums / jnp.sqrt(jnp.sum(jnp.square(sums), axis=-1, keepdims=True) + 1e-12)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(-1, *x.shape[2:])
