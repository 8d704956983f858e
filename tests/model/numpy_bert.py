"""BERT's forward pass once more, in NumPy and float64, for one sequence and written from the papers: what to equal."""

import math
from typing import Any

import numpy as np

from videobert_jax.data.packing import TokenSequence

erf = np.vectorize(math.erf)


def normalise(x: np.ndarray, norm: Any) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * norm["scale"] + norm["bias"]


def affine(x: np.ndarray, dense: Any) -> np.ndarray:
    return x @ dense["kernel"] + dense["bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x / math.sqrt(2))) / 2


def attend(x: np.ndarray, attention: Any, heads: int) -> np.ndarray:
    """Head by head: the fused projection holds, for each head in turn, its query, key and value columns."""
    width = x.shape[-1] // heads
    qkv = affine(x, attention["qkv"])
    outputs = []
    for head in range(heads):
        query, key, value = np.split(qkv[:, 3 * width * head : 3 * width * (head + 1)], 3, axis=-1)
        scores = np.exp(query @ key.T / math.sqrt(width))
        outputs.append(scores / scores.sum(-1, keepdims=True) @ value)
    return affine(np.concatenate(outputs, -1), attention["out"])


def encode(params: Any, sequence: TokenSequence, heads: int) -> np.ndarray:
    """Hidden states [n, D] of a sequence of n tokens."""
    tables = params["embeddings"]
    x = tables["token_embedding"]["embedding"][sequence.ids]
    x = x + tables["position_embedding"]["embedding"][: len(sequence.ids)]
    x = x + tables["segment_embedding"]["embedding"][sequence.segment_types]
    x = normalise(x, tables["norm"])
    layers = params["encoder"]["layers"]
    for index in range(layers["attention_norm"]["scale"].shape[0]):
        layer = _layer(layers, index)
        x = normalise(x + attend(x, layer["attention"], heads), layer["attention_norm"])
        x = normalise(x + affine(gelu(affine(x, layer["mlp"]["wi"])), layer["mlp"]["wo"]), layer["mlp_norm"])
    return x


def predict(params: Any, hidden: np.ndarray) -> np.ndarray:
    """Logits [n, V] of hidden states [n, D]."""
    head = params["prediction_head"]
    x = normalise(gelu(affine(hidden, head["dense"])), head["norm"])
    return x @ params["embeddings"]["token_embedding"]["embedding"].T + head["bias"]


def align(params: Any, hidden: np.ndarray) -> float:
    """The logit of alignment, from the hidden states [n, D] of a sequence."""
    return float(affine(np.tanh(affine(hidden[0], params["pooler"])), params["alignment_head"])[0])


def _layer(layers: Any, index: int) -> Any:
    """One layer of the stacked parameters."""
    return {k: _layer(v, index) if isinstance(v, dict) else v[index] for k, v in layers.items()}
