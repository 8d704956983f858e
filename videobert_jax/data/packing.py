"""Token sequences, and rows that hold several of them.

A batch is a dictionary of NumPy arrays, int32 but for the weights (float32), with B rows of S positions, N sequences
and K predictions:

| array | shape | holds |
|---|---|---|
| token_ids | B, S | ids of the joint space; padding after the last sequence |
| positions | B, S | position in the own sequence |
| segment_types | B, S | 0: text, with [CLS] and [>]; 1: video, with its [SEP] |
| sequence_ids | B, S | 1 to N, the sequence that a position belongs to; 0: padding |
| cls_positions | B, N | where each sequence begins |
| sequence_modes | B, N | a `tokens.Mode`; 0: no such sequence |
| alignment_labels | B, N | 1: the words and the clips of a joint sequence belong together |
| alignment_weights | B, N | 1 for joint sequences, else 0 |
| prediction_positions | B, K | ascending; 0 where unused |
| prediction_targets | B, K | the ids that stood there before masking |
| prediction_weights | B, K | 1 where a prediction counts, else 0 |
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from videobert_jax.tokens import Mode, TokenSpace

Batch = dict[str, np.ndarray]


class TokenSequence(NamedTuple):
    """What BERT sees as one input (VideoBERT, section 3.2).

    Attributes:
      mode: text, video or both.
      ids: int32 [n], ids of the joint space, special tokens included.
      text_length: the first so many positions are of segment 0, the others of segment 1.
      aligned: whether words and clips belong together; False only for joint sequences.
    """

    mode: Mode
    ids: np.ndarray
    text_length: int
    aligned: bool = True

    @property
    def segment_types(self) -> np.ndarray:
        """int32 [n]."""
        return (np.arange(len(self.ids)) >= self.text_length).astype(np.int32)


def encode_text(words: np.ndarray, tokens: TokenSpace) -> TokenSequence:
    """``[CLS] words [SEP]`` of text ids."""
    ids = np.empty(len(words) + 2, np.int32)
    ids[0] = tokens.cls
    ids[1:-1] = words
    ids[-1] = tokens.sep
    return TokenSequence(Mode.TEXT, ids, text_length=len(ids))


def encode_video(visual_ids: np.ndarray, tokens: TokenSpace) -> TokenSequence:
    """``[CLS] [>] clips [SEP]`` of visual ids in ``[0, V)``."""
    return encode_joint(visual_ids[:0], visual_ids, tokens)._replace(mode=Mode.VIDEO)


def encode_joint(words: np.ndarray, visual_ids: np.ndarray, tokens: TokenSpace, aligned: bool = True) -> TokenSequence:
    """``[CLS] words [>] clips [SEP]`` of text ids, and visual ids in ``[0, V)``."""
    joiner = 1 + len(words)
    ids = np.empty(joiner + len(visual_ids) + 2, np.int32)
    ids[0] = tokens.cls
    ids[1:joiner] = words
    ids[joiner] = tokens.joiner
    np.add(visual_ids, tokens.text_size, out=ids[joiner + 1 : -1])
    ids[-1] = tokens.sep
    return TokenSequence(Mode.JOINT, ids, text_length=joiner + 1, aligned=aligned)


def pack(sequences: Sequence[TokenSequence], length: int, max_sequences: int, tokens: TokenSpace) -> Batch:
    """One row, without its predictions, that holds the sequences one after the other.

    Raises ValueError if they are more than `max_sequences`, or need more than `length` positions.
    """
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
    return row


def rows_of_sequences(
    sequences: Sequence[TokenSequence], length: int, max_predictions: int, tokens: TokenSpace
) -> Batch:
    """A batch with one sequence per row (N = 1), for evaluation; every [MASK] is a prediction.

    The targets are zeros: the caller knows what it has masked. Raises ValueError if a sequence is longer than `length`
    or has more than `max_predictions` masks.
    """
    rows = [pack([sequence], length, 1, tokens) for sequence in sequences]
    batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    masked = batch["token_ids"] == tokens.mask
    counts = masked.sum(axis=1)
    if counts.max() > max_predictions:
        raise ValueError(f"a sequence has {counts.max()} masks, expected at most {max_predictions}")
    batch["prediction_weights"] = (np.arange(max_predictions) < counts[:, None]).astype(np.float32)
    batch["prediction_positions"] = np.zeros((len(sequences), max_predictions), np.int32)
    batch["prediction_positions"][batch["prediction_weights"] > 0] = masked.nonzero()[1]
    batch["prediction_targets"] = np.zeros_like(batch["prediction_positions"])
    return batch


def pad_rows(batch: Batch, rows: int, tokens: TokenSpace) -> Batch:
    """The batch with empty rows after its own, `rows` altogether, so that one compiled program serves any number."""
    missing = rows - len(batch["token_ids"])
    if missing < 0:
        raise ValueError(f"the batch has {rows - missing} rows, expected at most {rows}")
    return {
        name: np.pad(array, ((0, missing), (0, 0)), constant_values=tokens.pad if name == "token_ids" else 0)
        for name, array in batch.items()
    }
