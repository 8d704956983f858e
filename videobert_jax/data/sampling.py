"""Samples token sequences, with aligned or misaligned words and clips, from video chunks (VideoBERT, section 3.2)."""

import bisect
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from videobert_jax.config import PretrainingConfig
from videobert_jax.data.records import Record
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text, encode_video
from videobert_jax.tokens import Mode, TokenSpace

SHORTEST = 8  # positions; a row with less room than this is full
SHORTEST_JOINT = 16  # positions; a joint sequence truncated below this is too short to predict its alignment
Window = tuple[int, int]  # sentences [first, stop)


class Chunk:
    """A record, indexed for fast sampling of windows."""

    def __init__(self, record: Record) -> None:
        self.video_id = record.video_id
        self.token_ids = record.token_ids
        self.visual_ids = record.visual_ids
        self.overlap_at = record.overlapping
        self.details = record.details
        self.sentences = len(record.sentence_starts)
        self._offsets = record.sentence_offsets.tolist()
        firsts, stops = record.clips_within(record.sentence_starts, record.sentence_ends)
        self._first_clips, self._stop_clips = firsts.tolist(), stops.tolist()

    def can_be(self, mode: Mode) -> bool:
        """Whether sequences of this mode can be sampled from it."""
        return (mode == Mode.VIDEO or self.sentences > 0) and (mode == Mode.TEXT or len(self.visual_ids) > 0)

    def with_clips(self, sequence: TokenSequence, clips: slice) -> TokenSequence:
        """Adds to a sequence of these clips what else is known of them."""
        details = None if self.details is None else self.details.at(clips)
        return sequence._replace(clips=details, overlap=self.overlap_at(clips.step), video_id=self.video_id)

    def words(self, window: Window) -> np.ndarray:
        """Returns the WordPieces of the window's sentences."""
        return self.token_ids[self._offsets[window[0]] : self._offsets[window[1]]]

    def clips(self, window: Window) -> tuple[int, int]:
        """Returns the clips ``[first, stop)`` whose centres lie in the window's time span; at least one."""
        first = min(self._first_clips[window[0] : window[1]])
        stop = max(self._stop_clips[window[0] : window[1]])
        first = min(first, len(self.visual_ids) - 1)
        return first, max(stop, first + 1)

    def apart_from(self, window: Window) -> list[Window]:
        """Returns the sentence ranges before and after the window that neither touch it nor share a clip with it."""
        first, stop = self.clips(window)
        before = bisect.bisect_right(list(itertools.accumulate(self._stop_clips, max)), first)
        after = bisect.bisect_left(self._first_clips, stop)
        sides = ((0, min(before, window[0] - 1)), (max(after, window[1] + 1), self.sentences))
        return [side for side in sides if side[0] < side[1]]

    def text_size(self, window: Window) -> int:
        """Returns the length of the window's text sequence."""
        return 2 + self._offsets[window[1]] - self._offsets[window[0]]


class Sampler:
    """Fills rows with sequences sampled from a small group of chunks, in the configured mix of modes.

    A mode is sampled among those that the group supports, then a chunk that supports the mode. To fill the row, each
    sequence is at least as long as its share of the remaining room, if its chunk is long enough. The last sequence, or
    a sentence longer than a row, is truncated.
    """

    def __init__(self, tokens: TokenSpace, config: PretrainingConfig, sequence_length: int, max_sequences: int) -> None:
        self._tokens = tokens
        self._config = config
        self._sequence_length = sequence_length
        self._max_sequences = max_sequences
        self._weights = {Mode.TEXT: config.text_only, Mode.VIDEO: config.video_only, Mode.JOINT: config.joint}

    def __call__(self, records: Sequence[Record], rng: np.random.Generator) -> list[TokenSequence]:
        """Returns at least one sequence, with at most `sequence_length` tokens in total."""
        chunks = [Chunk(record) for record in records]
        pools = {mode: [chunk for chunk in chunks if chunk.can_be(mode)] for mode in self._weights}
        weights = {mode: weight for mode, weight in self._weights.items() if weight > 0 and pools[mode]}
        weights = weights or {mode: 1.0 for mode in pools if pools[mode]}  # no requested mode is possible
        draw = {Mode.TEXT: self._text, Mode.VIDEO: self._video, Mode.JOINT: self._joint}

        sequences: list[TokenSequence] = []
        room = self._sequence_length
        while len(sequences) < self._max_sequences and room >= SHORTEST:
            if room < SHORTEST_JOINT:
                weights.pop(Mode.JOINT, None)
            if not weights:
                break
            bounds = list(itertools.accumulate(weights.values()))
            mode = list(weights)[bisect.bisect_right(bounds, rng.random() * bounds[-1])]
            share = room // (self._max_sequences - len(sequences))
            sequence = draw[mode](pools[mode], rng, share, room)
            sequences.append(sequence)
            room -= len(sequence.ids)
        return sequences

    def _text(self, pool: list[Chunk], rng: np.random.Generator, share: int, room: int) -> TokenSequence:
        chunk = pool[rng.integers(len(pool))]
        window = self._window(rng, (0, chunk.sentences), chunk.text_size, share, room)
        return encode_text(chunk.words(window)[: room - 2], self._tokens)

    def _video(self, pool: list[Chunk], rng: np.random.Generator, share: int, room: int) -> TokenSequence:
        """Samples adjacent clips at a random rate, fine enough that the sequence fills its share of the row."""
        chunk = pool[rng.integers(len(pool))]
        clips = chunk.visual_ids
        least = max(1, share - 3)
        rate = 1 + int(rng.integers(max(1, min(self._config.max_subsampling, len(clips) // least))))
        span = min(len(clips), rate * min(max(self._config.video_only_tokens, least), room - 3))
        start = int(rng.integers(len(clips) - span + 1))
        shown = slice(start, start + span, rate)
        return chunk.with_clips(encode_video(clips[shown], self._tokens), shown)

    def _joint(self, pool: list[Chunk], rng: np.random.Generator, share: int, room: int) -> TokenSequence:
        chunk = pool[rng.integers(len(pool))]
        coarsest = 1 + int(rng.integers(self._config.max_subsampling))
        window = self._window(rng, (0, chunk.sentences), lambda w: self._joint_size(chunk, w, coarsest), share, room)
        first, stop = chunk.clips(window)
        rate = self._rate(stop - first, coarsest)
        phase = int(rng.integers(min(rate, stop - first)))
        shown = slice(first + phase, stop, rate)
        visual_ids = chunk.visual_ids[shown]

        elsewhere = self._elsewhere(chunk, window, pool, rng) if rng.random() < self._config.misaligned else None
        if elsewhere is None:
            words = chunk.words(window)
        else:  # sampled like the true words, so that only their meaning reveals the misalignment
            other, within = elsewhere
            words = other.words(self._window(rng, within, lambda w: self._joint_size(other, w, coarsest), share, room))

        budget = room - 3  # each side keeps at least half of it, if it needs that much
        visual_ids = visual_ids[: max(budget - len(words), budget // 2)]
        words = words[: budget - len(visual_ids)]
        shown = slice(shown.start, shown.start + rate * len(visual_ids), rate)
        sequence = encode_joint(words, visual_ids, self._tokens, aligned=elsewhere is None)
        return chunk.with_clips(sequence, shown)

    def _joint_size(self, chunk: Chunk, window: Window, coarsest: int) -> int:
        first, stop = chunk.clips(window)
        return 1 + chunk.text_size(window) + len(range(first, stop, self._rate(stop - first, coarsest)))

    def _rate(self, clips: int, coarsest: int) -> int:
        """Returns the subsampling rate, at most `coarsest`, that keeps at least `min_clips`."""
        return max(1, min(coarsest, clips // self._config.min_clips))

    def _elsewhere(
        self, chunk: Chunk, window: Window, pool: list[Chunk], rng: np.random.Generator
    ) -> tuple[Chunk, Window] | None:
        """Returns a chunk, and a range of its sentences, that do not match the window; None if there is none."""
        if self._config.misaligned_from == "other_video":
            others = [other for other in pool if other.video_id != chunk.video_id]
            if not others:
                return None
            other = others[rng.integers(len(others))]
            return other, (0, other.sentences)
        sides = chunk.apart_from(window)
        return (chunk, sides[rng.integers(len(sides))]) if sides else None

    def _window(
        self, rng: np.random.Generator, within: Window, size: Callable[[Window], int], share: int, room: int
    ) -> Window:
        """Samples a sentence, then adds neighbours while they fit, at random or until the share is filled."""
        first = int(rng.integers(*within))
        stop = first + 1
        while stop - first < within[1] - within[0]:
            length = size((first, stop))
            if length >= room or (rng.random() >= self._config.concatenate and length >= share):
                break
            if stop < within[1]:
                stop += 1
            else:
                first -= 1
        return first, stop
