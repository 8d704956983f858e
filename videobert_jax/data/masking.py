"""Chooses and masks the tokens to predict (Devlin et al. 2019; VideoBERT, section 3.2)."""

import numpy as np

from videobert_jax.config import PretrainingConfig
from videobert_jax.data.batch import Row
from videobert_jax.data.packing import hide_clips
from videobert_jax.tokens import Mode, TokenSpace

KEPT, RANDOM = 0.1, 0.1  # fractions of the chosen tokens; the others become [MASK]


class Masking:
    """Masks packed rows.

    In each sequence, a fraction `config.masking` of the words and of the visual words is chosen, at least one of each;
    in a fraction `config.mask_video` of the joint sequences, all visual words are chosen, and in a fraction
    `config.mask_text` of all other sequences all words and no visual word, so that only the video, if any, can reveal
    them. 80 % of the chosen tokens become [MASK], 10 % become a random token of their modality, and 10 % stay; if all
    words are chosen, all become [MASK]. Special tokens are never chosen or sampled. Misaligned sequences are masked
    like aligned ones, so that masks do not reveal alignment, but their predictions have weight 0 unless
    `config.mask_misaligned` is set. Without `config.mask_joint`, joint sequences are not masked.

    Tokens are chosen one by one; with `config.whole_words`, all pieces of a word together; with `config.span`, adjacent
    ones of that mean number (SpanBERT, Joshi et al. 2020).

    Of a chosen clip no more is seen than its token, and clips that share frames with it are masked too.
    """

    def __init__(self, tokens: TokenSpace, config: PretrainingConfig) -> None:
        self._tokens = tokens
        self._config = config
        self._maskable = np.ones(tokens.size, bool)
        self._maskable[list(tokens.specials)] = False
        self._words = np.flatnonzero(self._maskable[: tokens.text_size])
        self._continuing = np.zeros(tokens.size, bool)
        self._continuing[list(tokens.continuing)] = config.whole_words

    def __call__(self, row: Row, rng: np.random.Generator, overlaps: np.ndarray | None = None) -> Row:
        """Masks `token_ids` and adds predictions: of more than K chosen tokens, K spread over all sequences.

        `overlaps`, int [N], has the `TokenSequence.overlap` of each sequence; by default no clips overlap.
        """
        ids, is_video = row["token_ids"], row["token_ids"] >= self._tokens.text_size
        overlaps = np.zeros(len(row["sequence_modes"]), int) if overlaps is None else overlaps
        chosen, text_hidden = self._choose(row, rng, overlaps)
        surplus = chosen[self._config.max_predictions :]  # not predicted; of a hidden text, not shown either
        chosen = np.sort(chosen[: self._config.max_predictions])
        chance = rng.random(len(chosen))
        # A clip that is kept would show frames of a clip that overlaps it.
        chance[self._of_sequence(row, text_hidden)[chosen] & ~is_video[chosen]] = 1
        chance[self._of_sequence(row, overlaps > 0)[chosen] & is_video[chosen]] = 1
        masked = ids.copy()
        masked[chosen[chance >= KEPT + RANDOM]] = self._tokens.mask
        swapped = chosen[chance < RANDOM]
        masked[swapped] = self._replacements(ids[swapped], rng)
        overlapping = self._overlapping(row, chosen, overlaps)
        masked[overlapping] = self._tokens.mask
        masked[surplus[self._of_sequence(row, text_hidden)[surplus]]] = self._tokens.mask

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
        return {**hide_clips(row, np.concatenate([chosen, overlapping])), "token_ids": masked, **predictions}

    def _choose(self, row: Row, rng: np.random.Generator, overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the positions to predict, the first K spread over all sequences; and bool [N], if a text is hidden.

        K of them, or fewer, are ascending.
        """
        ids = row["token_ids"]
        corrupted = row["sequence_modes"] != Mode.JOINT if not self._config.mask_joint else row["sequence_modes"] > 0
        candidates = np.flatnonzero(self._maskable[ids] & self._of_sequence(row, corrupted))
        # A group is the words, or the visual words, of one sequence. Groups are contiguous in a row, so sorting by
        # group number plus a random fraction shuffles each group in place.
        groups = 2 * row["sequence_ids"][candidates] + (ids[candidates] >= self._tokens.text_size)
        units = self._units(candidates, groups, ids, rng)
        order = np.argsort(groups + rng.random(units[-1] + 1 if len(units) else 0)[units], kind="stable")
        candidates, units = candidates[order], units[order]
        sizes = np.bincount(groups, minlength=2 * len(corrupted) + 2)
        wanted, text_hidden = self._wanted(row, sizes, corrupted, overlaps, rng)
        rank = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        within = self._middles(rank, units) < wanted[groups]  # units are chosen as a whole
        chosen = candidates[within]
        if len(chosen) > self._config.max_predictions:
            chosen = chosen[np.argsort(rank[within], kind="stable")]
        return chosen, text_hidden

    def _wanted(
        self, row: Row, sizes: np.ndarray, corrupted: np.ndarray, overlaps: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many tokens of each group are to be chosen, and bool [N], if all words of a sequence are."""
        modes = row["sequence_modes"]
        wanted = np.rint(self._config.masking * sizes)
        wanted[3::2] = np.rint(self._config.masking * sizes[3::2] / (2 * overlaps + 1))  # neighbours are masked too
        wanted = np.maximum(wanted, 1)
        video_hidden = (modes == Mode.JOINT) & (rng.random(len(modes)) < self._config.mask_video)
        wanted[3::2][video_hidden] = sizes[3::2][video_hidden]
        text_hidden = np.zeros_like(video_hidden)
        if self._config.mask_text:
            drawn = rng.random(len(modes)) < self._config.mask_text
            text_hidden = drawn & corrupted & ~video_hidden & (modes != Mode.VIDEO)
            wanted[2::2][text_hidden] = sizes[2::2][text_hidden]
            wanted[3::2][text_hidden] = 0
        return wanted, text_hidden

    def _units(
        self, candidates: np.ndarray, groups: np.ndarray, ids: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Numbers, ascending, of what is chosen together: int [n] for n candidates in order."""
        begins = ~self._continuing[ids[candidates]]
        if self._config.span > 1:
            begins &= rng.random(len(candidates)) < 1 / self._config.span
        begins |= np.diff(groups, prepend=-1) != 0
        return np.cumsum(begins) - 1

    def _middles(self, rank: np.ndarray, units: np.ndarray) -> np.ndarray:
        """For each candidate the mean rank of its unit, or 0 for the first unit of a group: float [n]."""
        begins = np.flatnonzero(np.diff(units, prepend=-1))
        lengths = np.diff(begins, append=len(units))
        middles = np.where(rank[begins] == 0, 0, rank[begins] + (lengths - 1) / 2)
        return np.repeat(middles, lengths)

    def _overlapping(self, row: Row, chosen: np.ndarray, overlaps: np.ndarray) -> np.ndarray:
        """Positions of clips that are not chosen and share frames with a chosen one, ascending."""
        ids, sequences = row["token_ids"], row["sequence_ids"]
        reach = overlaps[sequences[chosen] - 1] * (ids[chosen] >= self._tokens.text_size)
        near: list[np.ndarray] = [chosen[:0]]
        for distance in range(1, int(reach.max(initial=0)) + 1):
            seeds = chosen[reach >= distance]
            for place in (seeds - distance, seeds + distance):
                place, seed = place[inside := (place >= 0) & (place < len(ids))], seeds[inside]
                near.append(place[(sequences[place] == sequences[seed]) & (ids[place] >= self._tokens.text_size)])
        return np.setdiff1d(np.concatenate(near), chosen)

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
