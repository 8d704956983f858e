"""Cloze: what a trained model would put in the place of each [MASK] (VideoBERT, sections 3.3 and 4.2)."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from videobert_jax.data.batch import Batch
from videobert_jax.data.packing import pad_rows, rows_of_sequences
from videobert_jax.data.segments import Segment, beside
from videobert_jax.data.sequences import TokenSequence, encode_text
from videobert_jax.model.kernels.partition import replicated
from videobert_jax.model.videobert import VideoBert
from videobert_jax.tokens import TokenSpace

TOP = 5  # fillings of each place
ROWS, LENGTHS = 64, 32  # batches have so many rows, and a multiple of so many positions: few programs to compile


class Fillings(NamedTuple):
    """The likeliest ids in each place, best first; of equal ones the smaller id.

    Attributes:
      ids: int32 [B, K, top].
      probabilities: float32 [B, K, top], among the ids that are allowed.
    """

    ids: jax.Array
    probabilities: jax.Array


def vocabulary(tokens: TokenSpace, modality: Literal["text", "video", "any"]) -> np.ndarray:
    """Bool [padded_size], true for the ids that may be filled in: never a special one, nor one that only pads."""
    ids = np.arange(tokens.padded_size)
    text, video = ids < tokens.text_size, (ids >= tokens.text_size) & (ids < tokens.size)
    return {"text": text, "video": video, "any": text | video}[modality] & ~np.isin(ids, tokens.specials)


@functools.partial(jax.jit, static_argnames=("model", "top"))
def fill(
    model: VideoBert, params: Any, batch: Mapping[str, jax.Array], allowed: jax.Array, *, top: int = TOP
) -> Fillings:
    """Fills each place by itself, all the others still masked; compiled once per shape, whatever is allowed.

    Args:
      model: any; a static argument, compared by its configuration.
      params: of the model.
      batch: what the model reads; the places are its `prediction_positions` [B, K].
      allowed: bool [padded_size], see `vocabulary`. If it allows fewer than `top` ids, the rest have probability 0.
      top: how many to return.
    """
    outputs: Any = model.apply({"params": params}, batch)
    probabilities = jax.nn.softmax(jnp.where(allowed[None, None], outputs.predictions, -jnp.inf))
    best, ids = jax.lax.top_k(probabilities, top)
    return replicated(Fillings(ids, best))


Fill = Callable[[Batch, np.ndarray], Fillings]  # `fill` of a model and its parameters


def batch_of(sequences: Sequence[TokenSequence], tokens: TokenSpace, rows: int, length: int = 0) -> Batch:
    """A batch with a row for each sequence, and empty ones up to `rows`; every [MASK] is a place.

    Rows are as long as the longest sequence, or as `length` if that is more, rounded up to few different lengths: each
    length is a program to compile.
    """
    longest = max(length, *(len(sequence.ids) for sequence in sequences))
    places = max(int(np.count_nonzero(sequence.ids == tokens.mask)) for sequence in sequences)
    padded = -(-longest // LENGTHS) * LENGTHS
    return pad_rows(rows_of_sequences(sequences, padded, places, tokens), rows, tokens)


def fill_in(
    fill: Fill,
    sequences: Sequence[TokenSequence],
    modality: Literal["text", "video"],
    tokens: TokenSpace,
    rows: int = ROWS,
) -> Fillings:
    """Fills in the places of n sequences that have M each, `rows` sequences at a time.

    Returns:
      NumPy arrays [n, M, top], the best first; ids of the joint space.
    """
    length, allowed = max(len(sequence.ids) for sequence in sequences), vocabulary(tokens, modality)
    parts = []
    for start in range(0, len(sequences), rows):
        part = sequences[start : start + rows]
        found = fill(batch_of(part, tokens, rows, length), allowed)
        parts.append(Fillings(found.ids[: len(part)], found.probabilities[: len(part)]))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def ask(fill: Fill, words: np.ndarray, segments: Sequence[Segment], tokens: TokenSpace, length: int) -> Fillings:
    """Fills in a text beside each segment; of a long one, as many clips as fit are shown, evenly spaced.

    Args:
      fill: the model.
      words: int32 [m], text ids with at least one [MASK].
      segments: at least one.
      tokens: the joint vocabulary.
      length: positions that the model has.
    """
    room = length - len(words) - 3
    if room < 1:
        raise ValueError(f"the text has {len(words)} tokens, which leaves no room for video in {length} positions")
    return fill_in(fill, [beside(words, segment, room, tokens) for segment in segments], "text", tokens)


def language_prior(fill: Fill, words: np.ndarray, tokens: TokenSpace) -> Fillings:
    """Fills in a text without any video: one answer, n = 1."""
    return fill_in(fill, [encode_text(words, tokens)], "text", tokens)
