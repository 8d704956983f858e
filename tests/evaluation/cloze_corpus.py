"""A handful of tokens, records and segments that the tests of the evaluation share."""

import json
import pathlib
from collections.abc import Callable

import numpy as np

from videobert_jax.data.batch import Batch
from videobert_jax.data.records import Record
from videobert_jax.data.segments import Segment
from videobert_jax.inference.fill import Fill, Fillings
from videobert_jax.tokens import TokenSpace

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[>]", "[unused1]"]
WORDS += ["show", "how", "to", "the", "cut", "stir", "fry", "carrot", "onion", "egg", "##s"]
ID = {word: index for index, word in enumerate(WORDS)}
TOKENS = TokenSpace(text_size=len(WORDS), visual_size=12, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5, unused=(6,))
TEMPLATE = "show how to [MASK] the [MASK]"


def encode(text: str) -> list[int]:
    return [ID.get(word, TOKENS.unknown) for word in text.split()]


def decode(ids) -> str:
    return " ".join(WORDS[id_] for id_ in ids)


def id_of(word: str) -> int | None:
    return ID.get(word)


def segment(caption: str, visual_ids=(0, 1), video_id: str = "v", start_clip: int = 0, spoken=()) -> Segment:
    return Segment(video_id, caption, start_clip, np.array(visual_ids, np.int32), tuple(spoken))


def record(captions=(), sentences=(), clips: int = 6, start_clip: int = 0, video_id: str = "v") -> Record:
    """Clips of 2 s, whose visual words count up from 0; captions and sentences are (text, start, end)."""
    encoded = [encode(text) for text, _, _ in sentences]
    return Record(
        video_id=video_id,
        start_clip=start_clip,
        clip_seconds=2.0,
        visual_ids=np.arange(clips, dtype=np.int32),
        token_ids=np.array([id_ for ids in encoded for id_ in ids], np.int32),
        sentence_offsets=np.cumsum([0, *map(len, encoded)]).astype(np.int32),
        sentence_starts=np.array([start for _, start, _ in sentences], np.float32),
        sentence_ends=np.array([end for _, _, end in sentences], np.float32),
        captions=tuple(text for text, _, _ in captions),
        caption_starts=np.array([start for _, start, _ in captions], np.float32),
        caption_ends=np.array([end for _, _, end in captions], np.float32),
    )


def model_of(logits: Callable[[Batch], np.ndarray]) -> Fill:
    """A model that fills in by the given logits [B, K, padded_size] of a batch."""

    def fill(batch: Batch, allowed: np.ndarray) -> Fillings:
        found = np.where(allowed, logits(batch), -np.inf)
        likelihood = np.exp(found - found.max(axis=-1, keepdims=True))
        ids = np.argsort(-found, axis=-1, kind="stable")[..., :5]
        return Fillings(ids, np.take_along_axis(likelihood / likelihood.sum(axis=-1, keepdims=True), ids, axis=-1))

    return fill


def write_tokenizer(folder: pathlib.Path) -> None:
    """A tokenizer folder whose ids are `ID`."""
    usual = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    settings = {
        "version": "1.0",
        "added_tokens": [{"id": id_, "content": WORDS[id_], **usual} for id_ in sorted(TOKENS.specials)],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
        "model": {**model, "max_input_chars_per_word": 99, "vocab": ID},
    }
    (folder / "tokenizer.json").write_text(json.dumps(settings))
