"""Packs token sequences into rows; `batch.SCHEMA` lists their arrays."""

from collections.abc import Iterable, Sequence

import numpy as np

from videobert_jax.data.batch import CLIPS, SCHEMA, ArraySpec, Batch, Row, row_shapes
from videobert_jax.data.sequences import TokenSequence
from videobert_jax.tokens import Mode, TokenSpace


def pack(sequences: Sequence[TokenSequence], length: int, max_sequences: int, tokens: TokenSpace) -> Row:
    """Concatenates sequences into a row, without predictions. Raises ValueError if they do not fit."""
    count = len(sequences)
    sizes = np.array([len(sequence.ids) for sequence in sequences])
    stops = np.cumsum(sizes)
    used = int(sizes.sum())
    if count > max_sequences or used > length:
        raise ValueError(f"{count} sequences of {used} tokens; a row holds {max_sequences} of {length}")
    row = {name: np.zeros(length, np.int32) for name in ("positions", "segment_types", "sequence_ids")}
    row["token_ids"] = np.full(length, tokens.pad, np.int32)
    np.concatenate([sequence.ids for sequence in sequences], out=row["token_ids"][:used])
    row["positions"][:used] = np.arange(used) - np.repeat(stops - sizes, sizes)
    text_lengths = [sequence.text_length for sequence in sequences]
    row["segment_types"][:used] = row["positions"][:used] >= np.repeat(text_lengths, sizes)
    row["sequence_ids"][:used] = np.repeat(np.arange(1, count + 1), sizes)

    modes = np.array([sequence.mode for sequence in sequences], np.int32)
    per_sequence = {
        "cls_positions": stops - sizes,
        "sequence_modes": modes,
        "alignment_labels": (modes == Mode.JOINT) & [sequence.aligned for sequence in sequences],
    }
    for name, values in per_sequence.items():
        row[name] = np.zeros(max_sequences, np.int32)
        row[name][:count] = values
    row["alignment_weights"] = (row["sequence_modes"] == Mode.JOINT).astype(np.float32)
    return {**row, **_clips(sequences, stops, length, tokens)}


def _clips(sequences: Sequence[TokenSequence], stops: np.ndarray, length: int, tokens: TokenSpace) -> Row:
    """Those of the arrays `batch.CLIPS` that the joint vocabulary has a size for."""
    row: Row = {name: np.zeros((length, size), SCHEMA[name][1]) for name, size in detail_sizes(tokens).items() if size}
    if row:
        row["clip_seen"] = np.zeros(length, np.int32)
    for sequence, stop in zip(sequences, stops.tolist(), strict=True):
        if row and sequence.clips is not None:  # they end before [SEP]
            place = slice(stop - 1 - len(sequence.clips.features), stop - 1)
            row["clip_seen"][place] = 1
            for name, values in zip(detail_sizes(tokens), sequence.clips, strict=True):
                if name in row:
                    row[name][place] = values
    return row


def row_specs(
    names: Iterable[str], length: int, max_sequences: int, tokens: TokenSpace, predictions: int = 0
) -> dict[str, ArraySpec]:
    """The specs of a packed row: of the arrays `names`, and of those that describe clips, if the records keep any."""
    details = [name for name, size in detail_sizes(tokens).items() if size]
    sizes = {"S": length, "N": max_sequences, "K": predictions, "P": tokens.feature_size, "C": tokens.codebooks}
    return row_shapes((*names, *(["clip_seen", *details] if details else [])), **sizes)


def detail_sizes(tokens: TokenSpace) -> dict[str, int]:
    """The number of columns of the arrays that hold `records.ClipDetails`, in its order."""
    return {"clip_features": tokens.feature_size, "clip_codes": tokens.codebooks}


def rows_of_sequences(
    sequences: Sequence[TokenSequence], length: int, max_predictions: int, tokens: TokenSpace
) -> Batch:
    """Makes a batch with one sequence per row (N = 1), for evaluation; every [MASK] is a prediction, with target 0.

    Raises ValueError if a sequence is longer than `length` or has more than `max_predictions` masks.
    """
    rows = [pack([sequence], length, 1, tokens) for sequence in sequences]
    batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    masked = batch["token_ids"] == tokens.mask
    batch = hide_clips(batch, masked)
    counts = masked.sum(axis=1)
    if counts.max() > max_predictions:
        raise ValueError(f"a sequence has {counts.max()} masks, expected at most {max_predictions}")
    batch["prediction_weights"] = (np.arange(max_predictions) < counts[:, None]).astype(np.float32)
    batch["prediction_positions"] = np.zeros((len(sequences), max_predictions), np.int32)
    batch["prediction_positions"][batch["prediction_weights"] > 0] = masked.nonzero()[1]
    batch["prediction_targets"] = np.zeros_like(batch["prediction_positions"])
    return batch


def hide_clips(arrays: Batch, hidden: np.ndarray) -> Batch:
    """Returns a row or batch that tells nothing of some clips besides their tokens; `hidden` indexes the positions."""
    shown = {name: arrays[name].copy() for name in CLIPS if name in arrays}
    for array in shown.values():
        array[hidden] = 0
    return {**arrays, **shown}


def pad_rows(batch: Batch, rows: int, tokens: TokenSpace) -> Batch:
    """Appends empty rows up to `rows`, the size a program is compiled for. Raises ValueError for a larger batch."""
    missing = rows - len(batch["token_ids"])
    if missing < 0:
        raise ValueError(f"the batch has {rows - missing} rows, expected at most {rows}")
    return {
        name: np.pad(
            array,
            ((0, missing), *((0, 0),) * (array.ndim - 1)),
            constant_values=tokens.pad if name == "token_ids" else 0,
        )
        for name, array in batch.items()
    }
