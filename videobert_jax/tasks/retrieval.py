"""Retrieval: captions and the segments that they describe, embedded apart into one space."""

import functools
from collections.abc import Sequence

from videobert_jax import tokenizer
from videobert_jax.config import Config, RetrievalConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.pairs import Pair, PairRows
from videobert_jax.errors import ConfigError
from videobert_jax.model.dual_encoder import DualEncoder
from videobert_jax.objectives.contrastive import TextToVideo
from videobert_jax.tasks.labelled import warn_of_silence
from videobert_jax.tasks.task import Task, as_read, frozen_tokens, frozen_trunk
from videobert_jax.tokens import TokenSpace


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config. Raises ConfigError if a row cannot hold whole pairs."""
    section, count = config.task, config.data.max_sequences
    assert isinstance(section, RetrievalConfig)
    if count % 2:
        raise ConfigError(f"config.data.max_sequences is {count}, expected an even number: a text and a video a pair")
    network = DualEncoder(config.model, tokens)
    return Task(
        network=network,
        objective=TextToVideo(),
        row=PairRows(as_read(network), config.data, section.inputs),
        group=count // 2,
        examples=functools.partial(pairs_of, section),
        frozen=frozen_trunk(config) if section.frozen else frozen_tokens(config.model, tokens),
    )


def pairs_of(section: RetrievalConfig, prepared: Prepared, split: str) -> Sequence[Pair]:
    """A pair for each caption with words that the records of a split hold. Raises ConfigError if there is none."""
    words, footage, found = tokenizer.load(prepared.tokenizer), Footage(prepared.source(split)), []
    for video_id in footage.video_ids:
        video = footage[video_id]
        spans = zip(video.captions, video.caption_starts.tolist(), video.caption_ends.tolist(), strict=True)
        for caption, start, end in spans:
            segment, ids = footage.span(video_id, start, end, caption), tuple(words.encode(caption))
            if segment is not None and ids:
                found.append(Pair(segment, ids))
    if not found:
        raise ConfigError(
            f"the records of the split {split!r} hold no caption, expected some to search with: name captions with "
            "--config.data.annotations"
        )
    warn_of_silence(section.inputs, split, [pair.segment for pair in found])
    return found
