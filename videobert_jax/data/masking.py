"""Chooses and masks the tokens to predict (Devlin et al. 2019; VideoBERT, section 3.2)."""

import numpy as np

from videobert_jax.config import PretrainingConfig
from videobert_jax.data.batch import Row
from videobert_jax.tokens import Mode, TokenSpace

KEPT, RANDOM = 0.1, 0.1  # fractions of the chosen tokens; the others become [MASK]


class Masking:
    """Masks packed rows.

    In each sequence, a fraction `config.masking` of the words and of the visual words is chosen, at least one of each;
    in a fraction `config.mask_video` of the joint sequences, all visual words are chosen. 80 % of the chosen tokens
    become [MASK], 10 % become a random token of their modality, and 10 % stay. Special tokens are never chosen or
    sampled. Misaligned sequences are masked like aligned ones, so that masks do not reveal alignment, but their
    predictions have weight 0 unless `config.mask_misaligned` is set. Without `config.mask_joint`, joint sequences are
    not masked.
    """

    def __init__(self, tokens: TokenSpace, config: PretrainingConfig) -> None:
        self._tokens = tokens
        self._config = config
        self._maskable = np.ones(tokens.size, bool)
        self._maskable[list(tokens.specials)] = False
        self._words = np.flatnonzero(self._maskable[: tokens.text_size])

    def __call__(self, row: Row, rng: np.random.Generator) -> Row:
        """Masks `token_ids` and adds predictions: of more than K chosen tokens, K spread over all sequences."""
        ids = row["token_ids"]
        chosen = self._choose(row, rng)
        chance = rng.random(len(chosen))
        masked = ids.copy()
        masked[chosen[chance >= KEPT + RANDOM]] = self._tokens.mask
        swapped = chosen[chance < RANDOM]
        masked[swapped] = self._replacements(ids[swapped], rng)

        size = self._config.max_predictions
        positions, targets, weights = np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.float32)
        positions[: len(chosen)] = chosen
        targets[: len(chosen)] = ids[chosen]
        weights[: len(chosen)] = self._of_sequence(row, self._weighted(row))[chosen]
        predictions = {
            "prediction_positions": positions,
            "prediction_targets": targets,
            "prediction_weights": weights,
        }
        return {**row, "token_ids": masked, **predictions}

    def _choose(self, row: Row, rng: np.random.Generator) -> np.ndarray:
        """Returns the positions to predict: ascending, at most K."""
        ids = row["token_ids"]
        corrupted = row["sequence_modes"] != Mode.JOINT if not self._config.mask_joint else row["sequence_modes"] > 0
        candidates = np.flatnonzero(self._maskable[ids] & self._of_sequence(row, corrupted))
        # A group is the words, or the visual words, of one sequence. Groups are contiguous in a row, so sorting by
        # group number plus a random fraction shuffles each group in place.
        groups = 2 * row["sequence_ids"][candidates] + (ids[candidates] >= self._tokens.text_size)
        candidates = candidates[np.argsort(groups + rng.random(len(groups)))]
        sizes = np.bincount(groups, minlength=2 * len(corrupted) + 2)
        wanted = np.maximum(np.rint(self._config.masking * sizes), 1)
        pictured = (row["sequence_modes"] == Mode.JOINT) & (rng.random(len(corrupted)) < self._config.mask_video)
        wanted[3::2][pictured] = sizes[3::2][pictured]
        rank = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        within = rank < wanted[groups]
        chosen = candidates[within]
        if len(chosen) > self._config.max_predictions:
            chosen = chosen[np.argsort(rank[within], kind="stable")[: self._config.max_predictions]]
        return np.sort(chosen)

    def _weighted(self, row: Row) -> np.ndarray:
        if self._config.mask_misaligned:
            return row["sequence_modes"] > 0
        return (row["sequence_modes"] != Mode.JOINT) | (row["alignment_labels"] == 1)

    def _of_sequence(self, row: Row, flags: np.ndarray) -> np.ndarray:
        """Broadcasts flags [N] of sequences to positions [S]; False on padding."""
        return np.concatenate([[False], flags])[row["sequence_ids"]]

    def _replacements(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        words = self._words[rng.integers(len(self._words), size=len(ids))] if len(self._words) else ids
        visual = rng.integers(self._tokens.text_size, self._tokens.size, size=len(ids))
        return np.where(ids < self._tokens.text_size, words, visual)
