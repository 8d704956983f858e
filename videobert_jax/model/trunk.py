"""Embeddings, encoder and pooler, shared by all networks over the joint sequence (VideoBERT, section 3.2)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from videobert_jax.config import ModelConfig
from videobert_jax.model import flops
from videobert_jax.model.embeddings import Embeddings
from videobert_jax.model.encoder import Encoder
from videobert_jax.model.fusion import JOINS, modalities
from videobert_jax.model.layers import Dense, gather
from videobert_jax.model.visual_input import READS
from videobert_jax.tokens import TokenSpace


class Trunk(nn.Module):
    """A bidirectional transformer over words and visual words; subclasses add heads.

    A network is called with (batch, deterministic) and returns a NamedTuple of arrays, one of them `hidden`. Parameters
    are float32, activations `config.dtype`. B rows, S positions, N sequences per row, D = hidden_size.

    A subclass gives `add_heads`, which makes its heads the submodules of a network, itself or one that has several
    subclasses' heads, and `read`, which calls them.

    Attributes:
      reads: the arrays of a batch that the network reads whatever its config; `data.batch.SCHEMA` says what they hold.
    """

    reads: ClassVar[tuple[str, ...]] = ("token_ids", "positions", "segment_types", "sequence_ids")
    config: ModelConfig
    tokens: TokenSpace

    @property
    def arrays(self) -> tuple[str, ...]:
        """All that it reads of a batch: `reads`, and what `config.visual_input` adds."""
        return (*self.reads, *READS[self.config.visual_input])

    def setup(self) -> None:
        """Creates the submodules, the top level of the parameter tree."""
        self.embeddings = Embeddings(self.config, self.tokens)
        self.encoder = Encoder(self.config)
        if self.config.fusion != "joint":
            self.video_encoder = Encoder(self.config)
            self.join = JOINS[self.config.fusion](self.config)
        self.pooler = Dense(self.config, self.config.hidden_size)
        self.add_heads(self, "")

    def __call__(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> Any:
        """Reads the arrays that `arrays` names; `deterministic` disables dropout."""
        return self.read(self, "", self.hidden(batch, deterministic), batch, deterministic)

    @nn.nowrap
    def add_heads(self, network: "Trunk", prefix: str) -> None:
        """Makes the heads attributes of `network`, while that is set up; their names begin with `prefix`."""

    @nn.nowrap
    def read(
        self, network: "Trunk", prefix: str, hidden: jax.Array, batch: Mapping[str, jax.Array], deterministic: bool
    ) -> Any:
        """The outputs of these heads of `network`, from its hidden states [B, S, D]."""
        raise NotImplementedError

    # Not wrapped by Linen, so that compiled programs name submodules by their paths alone.
    @nn.nowrap
    def hidden(self, batch: Mapping[str, jax.Array], deterministic: bool = True) -> jax.Array:
        """Returns hidden states [B, S, D]; each sequence sees only itself, and padding's are meaningless.

        Args:
          batch: int32 arrays [B, S]: `token_ids`, `positions` below `config.max_positions`, `segment_types` and
            `sequence_ids`; and what `config.visual_input` adds; see `data.batch.SCHEMA`.
          deterministic: disables dropout, which otherwise needs the random stream "dropout".
        """
        positions, sequence_ids = batch["positions"], batch["sequence_ids"]
        x = self.embeddings(batch, deterministic)
        if self.config.fusion == "joint":
            return self.encoder(x, positions, sequence_ids, deterministic)
        own, others = modalities(batch["segment_types"], sequence_ids)
        text, video = (encoder(x, positions, own, deterministic) for encoder in (self.encoder, self.video_encoder))
        return self.join(jnp.where((batch["segment_types"] > 0)[..., None], video, text), others, deterministic)

    @nn.nowrap
    def pooled(self, hidden: jax.Array, cls_positions: jax.Array) -> jax.Array:
        """Maps hidden states [B, S, D] at each sequence's [CLS], int32 [B, N], to [B, N, D]."""
        return jnp.tanh(self.pooler(gather(hidden, cls_positions)))

    @nn.nowrap
    def flops(self, batch: Mapping[str, Any]) -> float:
        """Model FLOPs of one forward and backward pass; only the batch's shapes matter. See `model/flops.py`."""
        rows, positions = batch["token_ids"].shape
        projected = 0 if self.config.visual_input == "words" else self.tokens.feature_size
        encoders = 1 if self.config.fusion == "joint" else 2
        total = encoders * flops.encoder_flops(self.config, rows, positions)
        return total + flops.feature_flops(self.config, rows, positions, projected)
