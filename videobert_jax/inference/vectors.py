"""Texts and segments of video as vectors that can be compared: what a dual encoder says of each sequence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from videobert_jax.config import RetrievalConfig
from videobert_jax.data.packing import pack, pad_rows
from videobert_jax.data.rows.labelled import encode
from videobert_jax.data.segments import Segment
from videobert_jax.data.sequences import TokenSequence, encode_text
from videobert_jax.errors import UserError
from videobert_jax.inference.examples import ROWS
from videobert_jax.model.dual_encoder import DualEncoder
from videobert_jax.tasks.task import as_read

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has these functions as methods


def of_texts(model: "Model", texts: Sequence[Sequence[int]]) -> np.ndarray:
    """Unit vectors float32 [n, D] of text ids; a text that is too long is cut. Raises UserError as `of_sequences`."""
    words = (np.array(one[: room(model) - 2], np.int32) for one in texts)
    return of_sequences(model, [encode_text(one, model.tokens) for one in words])


def of_query(model: "Model", words: Sequence[int], text: str) -> np.ndarray:
    """Unit vector float32 [1, D] of a text's ids. Raises UserError if it has none, or the model compares no texts."""
    if not isinstance(model.config.task, RetrievalConfig):
        raise UserError(
            f"{model.lexicon.folder} was trained for config.task.name={model.config.task.name!r}, expected retrieval, "
            "which alone compares texts with videos; name another workdir"
        )
    if not len(words):
        raise UserError(f"the text is {text!r}, expected words to search with")
    return of_texts(model, [words])


def of_segments(model: "Model", segments: Sequence[Segment], inputs: str) -> np.ndarray:
    """Unit vectors float32 [n, D] of segments, of which `inputs` are read; see `data.rows.labelled.encode`."""
    tokens = as_read(model.task.network)
    return of_sequences(model, [encode(one, one.spoken, inputs, room(model), tokens) for one in segments])


def room(model: "Model") -> int:
    """Positions of each sequence, as in training."""
    return model.config.data.sequence_length // model.config.data.max_sequences


def of_sequences(model: "Model", sequences: Sequence[TokenSequence]) -> np.ndarray:
    """Unit vectors float32 [n, D], packed as in training.

    Raises UserError if the model was not trained for retrieval or recommendation: its vectors mean nothing.
    """
    network, data = model.task.network, model.config.data
    if not isinstance(network, DualEncoder):
        raise UserError(
            f"this model was trained for config.task.name={model.config.task.name!r}, and its vectors cannot be "
            "compared; load one that was trained for retrieval or recommendation"
        )
    tokens, count, parts = as_read(network), data.max_sequences, []
    for start in range(0, len(sequences), ROWS * count):
        some = sequences[start : start + ROWS * count]
        rows = [
            pack(some[first : first + count], data.sequence_length, count, tokens)
            for first in range(0, len(some), count)
        ]
        batch = {name: np.stack([row[name] for row in rows]) for name in network.arrays}
        vectors = model.outputs(pad_rows(batch, ROWS, tokens)).vectors
        parts.append(vectors.reshape(-1, vectors.shape[-1])[: len(some)])
    return np.concatenate(parts)
