"""A model of a few thousand parameters, all random so that each affects the outputs, and rows for it."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from videobert_jax.config import ModelConfig
from videobert_jax.data.batch import Batch
from videobert_jax.data.packing import pack
from videobert_jax.data.sequences import TokenSequence, encode_joint, encode_text, encode_video
from videobert_jax.model.videobert import Outputs, VideoBert
from videobert_jax.tokens import TokenSpace

TOKENS = TokenSpace(text_size=40, visual_size=20, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5)
CONFIG = ModelConfig(
    num_layers=2, hidden_size=32, num_heads=4, mlp_size=48, max_positions=24, dropout=0.0, dtype="float32"
)
LENGTH = 32
MAX_SEQUENCES = 4
PREDICTIONS = 6

Params = Any


def make(**changes: Any) -> VideoBert:
    return VideoBert(dataclasses.replace(CONFIG, **changes), TOKENS)


def random_params(seed: int = 0, **changes: Any) -> Params:
    """Returns parameters for `CONFIG` with `changes`, with no bias near 0 and no scale near 1."""
    shapes = jax.eval_shape(make(**changes).init, jax.random.key(0), batch_of([joint(0)]))["params"]
    random = np.random.default_rng(seed)

    def draw(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        around = 1.0 if path[-1].key == "scale" else 0.0
        return random.normal(around, 0.3, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def joint(seed: int, words: int = 5, clips: int = 4) -> TokenSequence:
    random = np.random.default_rng(seed)
    text = random.integers(6, TOKENS.text_size, words, dtype=np.int32)
    return encode_joint(text, random.integers(0, TOKENS.visual_size, clips, dtype=np.int32), TOKENS)


def text(seed: int, words: int = 6) -> TokenSequence:
    random = np.random.default_rng(seed)
    return encode_text(random.integers(6, TOKENS.text_size, words, dtype=np.int32), TOKENS)


def video(seed: int, clips: int = 5) -> TokenSequence:
    random = np.random.default_rng(seed)
    return encode_video(random.integers(0, TOKENS.visual_size, clips, dtype=np.int32), TOKENS)


def batch_of(*rows: Sequence[TokenSequence], seed: int = 0) -> Batch:
    """Makes a batch from the rows, with `PREDICTIONS` random positions outside padding, and random targets."""
    packed = [pack(row, LENGTH, MAX_SEQUENCES, TOKENS) for row in rows]
    batch = {name: np.stack([row[name] for row in packed]) for name in packed[0]}
    random = np.random.default_rng(seed)
    shape = (len(rows), PREDICTIONS)
    used = (batch["sequence_ids"] > 0).sum(axis=1, keepdims=True)
    batch["prediction_positions"] = random.integers(0, used, shape, dtype=np.int32)
    batch["prediction_targets"] = random.integers(6, TOKENS.size, shape, dtype=np.int32)
    batch["prediction_weights"] = np.ones(shape, np.float32)
    return batch


@functools.partial(jax.jit, static_argnums=0)
def read(model: VideoBert, params: Params, batch: Batch, key: jax.Array | None = None) -> Outputs:
    """Runs the model, with dropout if there is a key."""
    return model.apply({"params": params}, batch, key is None, rngs=None if key is None else {"dropout": key})
