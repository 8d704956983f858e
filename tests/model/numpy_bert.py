"""A reference of BERT's forward pass for one sequence, in NumPy and float64, written from the papers."""

import math
from typing import Any

import numpy as np

from videobert_jax.config import ModelConfig
from videobert_jax.data.sequences import TokenSequence

erf = np.vectorize(math.erf)


def normalise(x: np.ndarray, norm: Any) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * norm["scale"] + norm.get("bias", 0)


def affine(x: np.ndarray, dense: Any) -> np.ndarray:
    return x @ dense["kernel"] + dense.get("bias", 0)


def gelu(x: np.ndarray, kind: str = "gelu") -> np.ndarray:
    if kind == "gelu_tanh":
        return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    return x * (1 + erf(x / math.sqrt(2))) / 2


def turned(x: np.ndarray) -> np.ndarray:
    """Rotary positions of [n, C]: channels c and c + C/2 are a complex number, multiplied by exp(i p 10000^(-2c/C))."""
    half = x.shape[1] // 2
    angles = np.arange(len(x))[:, None] * 10_000.0 ** (-np.arange(half) / half)
    pairs = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
    return np.concatenate([pairs.real, pairs.imag], -1)


def attend(x: np.ndarray, attention: Any, config: ModelConfig) -> np.ndarray:
    """Head by head: each of the three parts of the fused projection holds the columns of one head after the other."""
    width = config.hidden_size // config.num_heads
    fused = attention["qkv"]
    qkv = x @ fused["kernel"] + (fused["bias"][:, None] if "bias" in fused else 0)
    outputs = []
    for head in range(config.num_heads):
        query, key, value = qkv[:, :, width * head : width * (head + 1)]
        if config.positions == "rotary":
            query, key = turned(query), turned(key)
        scores = np.exp(query @ key.T / math.sqrt(width))
        outputs.append(scores / scores.sum(-1, keepdims=True) @ value)
    return affine(np.concatenate(outputs, -1), attention["out"])


def feed_forward(x: np.ndarray, mlp: Any, config: ModelConfig) -> np.ndarray:
    if config.gated:
        gate, linear = x @ mlp["wi_gated"]["kernel"]
        return affine(gelu(gate, config.activation) * linear, mlp["wo"])
    return affine(gelu(affine(x, mlp["wi"]), config.activation), mlp["wo"])


def encode(params: Any, sequence: TokenSequence, config: ModelConfig) -> np.ndarray:
    """Returns the hidden states [n, D] of a sequence of n tokens."""
    tables = params["embeddings"]
    x = tables["token_embedding"]["embedding"][sequence.ids]
    if config.positions == "learned":
        x = x + tables["position_embedding"]["embedding"][: len(sequence.ids)]
    x = x + tables["segment_embedding"]["embedding"][sequence.segment_types]
    x = normalise(x, tables["norm"])
    layers = params["encoder"]["layers"]
    for index in range(config.num_layers):
        layer = _layer(layers, index)
        for part, norm in ((attend, "attention"), (feed_forward, "mlp")):
            if config.norm == "pre":
                x = x + part(normalise(x, layer[f"{norm}_norm"]), layer[norm], config)
            else:
                x = normalise(x + part(x, layer[norm], config), layer[f"{norm}_norm"])
    return normalise(x, params["encoder"]["norm"]) if config.norm == "pre" else x


def predict(params: Any, hidden: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Returns the logits [n, V] for hidden states [n, D]."""
    head = params["prediction_head"]
    x = normalise(gelu(affine(hidden, head["dense"]), config.activation), head["norm"])
    return x @ params["embeddings"]["token_embedding"]["embedding"].T + head["bias"]


def align(params: Any, hidden: np.ndarray) -> float:
    """Returns the alignment logit for the hidden states [n, D] of a sequence."""
    return float(affine(np.tanh(affine(hidden[0], params["pooler"])), params["alignment_head"])[0])


def _layer(layers: Any, index: int) -> Any:
    """Returns the parameters of one layer."""
    return {k: _layer(v, index) if isinstance(v, dict) else v[index] for k, v in layers.items()}
