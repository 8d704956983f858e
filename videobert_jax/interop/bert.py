"""Imports and exports Hugging Face BERT checkpoints, without torch.

Import: any BERT initialises the text side of a VideoBERT, as in the paper (section 3.3), except the rows of visual
words and of ids that its vocabulary lacks, the alignment head, and what the checkpoint lacks, often the
masked-prediction head. Export: the text side in the format of `transformers.BertForMaskedLM`, bitwise.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import safetensors
from flax import traverse_util
from safetensors.numpy import load_file, save

from videobert_jax import tokenizer
from videobert_jax.config import ModelConfig
from videobert_jax.errors import ConfigError
from videobert_jax.model.embeddings import TOKEN_TABLE
from videobert_jax.model.layers import NORM_EPSILON
from videobert_jax.tokenizer import JOINER, TextTokenizer
from videobert_jax.tokens import TokenSpace

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
HEAD_BIAS = "prediction_head/bias"
OPTIONAL = ("pooler", "prediction_head")  # a checkpoint may lack these
REST = "video.safetensors"  # the parameters that BERT lacks: the visual words, the alignment head
# Field of ModelConfig -> its name in Hugging Face's config.
SIZES = {
    "num_layers": "num_hidden_layers",
    "hidden_size": "hidden_size",
    "num_heads": "num_attention_heads",
    "mlp_size": "intermediate_size",
}


# The settings that BERT's architecture requires, and Hugging Face's names for the activations.
BERT_LIKE = {"norm": "post", "positions": "learned", "gated": False, "use_bias": True}
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new"}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A parameter of ours and its Hugging Face tensors."""

    path: str  # of our parameter
    names: tuple[str, ...]  # of theirs; three for the fused qkv kernel; "{}" is the layer, and we stack the layers
    transposed: bool = False  # theirs is [out, in], ours [in, out]

    @property
    def layered(self) -> bool:
        """Whether each layer has its own."""
        return "{}" in self.names[0]


def _dense(path: str, *names: str) -> list[Tensor]:
    kernel = Tensor(f"{path}/kernel", tuple(f"{name}.weight" for name in names), transposed=True)
    return [kernel, Tensor(f"{path}/bias", tuple(f"{name}.bias" for name in names))]


def _norm(path: str, name: str) -> list[Tensor]:
    return [Tensor(f"{path}/scale", (f"{name}.weight",)), Tensor(f"{path}/bias", (f"{name}.bias",))]


LAYER = "bert.encoder.layer.{}."
TENSORS = (
    Tensor(TOKEN_TABLE, ("bert.embeddings.word_embeddings.weight",)),
    Tensor("embeddings/position_embedding/embedding", ("bert.embeddings.position_embeddings.weight",)),
    Tensor("embeddings/segment_embedding/embedding", ("bert.embeddings.token_type_embeddings.weight",)),
    *_norm("embeddings/norm", "bert.embeddings.LayerNorm"),
    *_dense("encoder/layers/attention/qkv", *(f"{LAYER}attention.self.{name}" for name in ("query", "key", "value"))),
    *_dense("encoder/layers/attention/out", f"{LAYER}attention.output.dense"),
    *_norm("encoder/layers/attention_norm", f"{LAYER}attention.output.LayerNorm"),
    *_dense("encoder/layers/mlp/wi", f"{LAYER}intermediate.dense"),
    *_dense("encoder/layers/mlp/wo", f"{LAYER}output.dense"),
    *_norm("encoder/layers/mlp_norm", f"{LAYER}output.LayerNorm"),
    *_dense("pooler", "bert.pooler.dense"),
    *_dense("prediction_head/dense", "cls.predictions.transform.dense"),
    *_norm("prediction_head/norm", "cls.predictions.transform.LayerNorm"),
    Tensor(HEAD_BIAS, ("cls.predictions.bias",)),
)


def load_bert(folder: pathlib.Path, config: ModelConfig, tokens: TokenSpace) -> dict[str, np.ndarray]:
    """Loads a model's initial parameters from a checkpoint.

    Args:
      folder: as written by Hugging Face's `save_pretrained` for BERT, with any heads: ``config.json``, and
        ``model.safetensors`` or the shards listed in ``model.safetensors.index.json``.
      config: of the model; its sizes must be the checkpoint's, except `max_positions`.
      tokens: the joint vocabulary; its text ids must be those of the checkpoint's tokenizer.

    Returns:
      Float32 arrays by the path of the parameter. An array may have only the first rows of the parameter.

    Raises:
      ConfigError: `folder` holds no checkpoint, or one of another architecture; the message names each value.
    """
    require(folder, config)
    theirs = {_modern(name): array for name, array in _read_weights(folder).items()}
    ours = {}
    for tensor in TENSORS:
        layers = range(config.num_layers) if tensor.layered else [0]
        names = [name.format(layer) for layer in layers for name in tensor.names]
        missing = [name for name in names if name not in theirs]
        if missing and tensor.path.startswith(OPTIONAL):
            continue
        if missing:
            raise ConfigError(f"{folder} has no tensor {missing[0]!r}; expected a Hugging Face BERT")
        _require_numbers([(name, theirs[name]) for name in names], _their_shape(tensor, config), folder)
        each = [_joined([theirs[n.format(layer)] for n in tensor.names], tensor) for layer in layers]
        ours[tensor.path] = np.stack(each) if tensor.layered else each[0]
    if len(ours[TOKEN_TABLE]) + 1 < tokens.text_size:  # one more: the joiner
        raise ConfigError(
            f"the word embeddings in {folder} have {len(ours[TOKEN_TABLE])} rows, expected {tokens.text_size}, one for "
            "each word of the prepared data; prepare with the checkpoint's tokenizer, --config.prepare.tokenizer=FOLDER"
        )
    for path, rows in (
        (TOKEN_TABLE, tokens.text_size),
        (HEAD_BIAS, tokens.text_size),
        ("embeddings/position_embedding/embedding", config.max_positions),
    ):
        if path in ours:
            ours[path] = ours[path][:rows]
    return ours


def require(folder: pathlib.Path, config: ModelConfig) -> None:
    """Raises ConfigError, naming each value, unless `folder` holds a matching checkpoint; reads no weights."""
    _require_bert(config)
    _require_same(_read_json(folder / "config.json"), config, folder)
    for name in _files(folder):
        if not (folder / name).exists():
            raise ConfigError(f"there is no {folder / name}; expected BERT weights as safetensors")


def require_vocabulary(folder: pathlib.Path, words: TextTokenizer) -> None:
    """Raises ConfigError, naming the first id that differs, unless the ids of `words` are the checkpoint's.

    Without a tokenizer in the checkpoint, only the number of ids is compared. A joiner may follow them.
    """
    if not any((folder / name).exists() for name in ("tokenizer.json", "vocab.txt")):
        size = _read_json(folder / "config.json").get("vocab_size")
        added = words.name(words.size - 1) == JOINER
        if size not in (words.size, words.size - added):
            raise ConfigError(
                f"the checkpoint in {folder} has {size} words, the prepared data {words.size}; prepare with the "
                "checkpoint's tokenizer, --config.prepare.tokenizer=FOLDER"
            )
        return
    try:
        theirs = tokenizer.load(folder)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for id_ in range(max(words.size, theirs.size)):
        if words.name(id_) != theirs.name(id_):
            raise ConfigError(
                f"id {id_} is {words.name(id_)!r} in the prepared data, {theirs.name(id_)!r} in the checkpoint in "
                f"{folder}; prepare with --config.prepare.tokenizer={folder}"
            )


def save_bert(folder: pathlib.Path, params: Mapping[str, Any], config: ModelConfig, tokens: TokenSpace) -> None:
    """Writes the text side for `transformers.BertForMaskedLM`, and the rest in a separate file.

    `params` are those of a `VideoBert`, float32. Raises ConfigError unless the architecture is BERT's.
    """
    _require_bert(config)
    ours = {path: np.asarray(array) for path, array in traverse_util.flatten_dict(dict(params), sep="/").items()}
    text, visual = slice(0, tokens.text_size), slice(tokens.text_size, tokens.size)
    rest = {"visual_words.weight": ours[TOKEN_TABLE][visual], "visual_words.bias": ours[HEAD_BIAS][visual]}
    rest |= {path.replace("/", "."): array for path, array in ours.items() if path.startswith("alignment_head")}
    ours |= {path: ours[path][text] for path in (TOKEN_TABLE, HEAD_BIAS)}
    theirs: dict[str, np.ndarray] = {}
    for tensor in TENSORS:
        for layer, array in enumerate(ours[tensor.path] if tensor.layered else [ours[tensor.path]]):
            parts = _parted(array, tensor)
            theirs |= {name.format(layer): part for name, part in zip(tensor.names, parts, strict=True)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensors, kind in ((WEIGHTS, theirs, "pt"), (REST, rest, "np")):
        arrays = {path: np.ascontiguousarray(array) for path, array in tensors.items()}
        (folder / name).write_bytes(save(arrays, {"format": kind}))  # save_file would make it unreadable to other users
    settings = {theirs: getattr(config, ours) for ours, theirs in SIZES.items()}
    settings |= {"model_type": "bert", "architectures": ["BertForMaskedLM"], "dtype": "float32"}
    settings["hidden_act"] = ACTIVATIONS[config.activation]
    settings |= {"vocab_size": tokens.text_size, "max_position_embeddings": config.max_positions, "type_vocab_size": 2}
    settings |= {"layer_norm_eps": NORM_EPSILON, "pad_token_id": tokens.pad, "hidden_dropout_prob": config.dropout}
    settings |= {"attention_probs_dropout_prob": 0.0, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")


def _their_shape(tensor: Tensor, config: ModelConfig) -> tuple[int | None, ...]:
    """The shape of each of their tensors; None for any size."""
    size, mlp = config.hidden_size, config.mlp_size
    if tensor.path.endswith("/embedding"):
        return (2 if "segment" in tensor.path else None, size)
    if tensor.path == HEAD_BIAS:
        return (None,)
    features = mlp if tensor.path.startswith("encoder/layers/mlp/wi/") else size
    if not tensor.path.endswith("/kernel"):
        return (features,)
    return (features, mlp if tensor.path.startswith("encoder/layers/mlp/wo/") else size)


def _require_numbers(
    tensors: Sequence[tuple[str, np.ndarray]], shape: tuple[int | None, ...], folder: pathlib.Path
) -> None:
    for name, array in tensors:
        sizes = [found == size for found, size in zip(array.shape, shape, strict=False) if size is not None]
        if array.ndim != len(shape) or not all(sizes):
            expected = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
            raise ConfigError(f"{name} in {folder} has the shape {list(array.shape)}, expected {expected}")
        if not np.isfinite(array).all():
            raise ConfigError(f"{name} in {folder} has values that are not finite; the checkpoint is damaged")


def _joined(arrays: Sequence[np.ndarray], tensor: Tensor) -> np.ndarray:
    """Combines their arrays into ours; the parts of a fused one are stacked, as in `model.layers.SplitDense`."""
    arrays = [array.T if tensor.transposed else array for array in arrays]
    return np.stack(arrays) if len(arrays) > 1 else arrays[0]


def _parted(array: np.ndarray, tensor: Tensor) -> list[np.ndarray]:
    """The inverse of `_joined`."""
    arrays = list(array) if len(tensor.names) > 1 else [array]
    return [part.T if tensor.transposed else part for part in arrays]


def _modern(name: str) -> str:
    """The current name of a tensor: with the model's prefix, and without TensorFlow's names for the parts of a norm."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return name if name.startswith(("bert.", "cls.")) else f"bert.{name}"


def unlike_bert(config: ModelConfig) -> str:
    """Lists the differences from BERT's architecture that rule out import and export; "" if there are none."""
    differing = [name for name, value in BERT_LIKE.items() if getattr(config, name) != value]
    return "; ".join(f"model.{name} is {getattr(config, name)!r}, BERT's {BERT_LIKE[name]!r}" for name in differing)


def _require_bert(config: ModelConfig) -> None:
    if other := unlike_bert(config):
        raise ConfigError(f"only a model with BERT's architecture can be imported from or exported to BERT: {other}")


def _require_same(settings: Mapping[str, Any], config: ModelConfig, folder: pathlib.Path) -> None:
    expected = {theirs: getattr(config, ours) for ours, theirs in SIZES.items()}
    expected |= {
        "hidden_act": ACTIVATIONS[config.activation],
        "position_embedding_type": "absolute",
        "model_type": "bert",
    }
    expected |= {"layer_norm_eps": NORM_EPSILON, "type_vocab_size": 2}
    # A setting missing in the checkpoint has BERT's default, which is ours too, except for the sizes.
    found = {name: settings.get(name, None if name in SIZES.values() else value) for name, value in expected.items()}
    differing = [name for name, value in expected.items() if found[name] != value]
    wrong = [f"{name} is {found[name]!r}, expected {expected[name]!r}" for name in differing]
    if wrong:
        raise ConfigError(
            f"the checkpoint in {folder} does not match config.model: {'; '.join(wrong)}; set config.model to match"
        )


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); expected the folder of a Hugging Face BERT") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}, expected an object")
    return content


def _files(folder: pathlib.Path) -> list[str]:
    index = folder / INDEX
    if not index.exists():
        return [WEIGHTS]
    files = _read_json(index).get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) for name in files.values()):
        raise ConfigError(
            f"{index} has no weight_map from tensors to files; expected the index of Hugging Face's shards"
        )
    return sorted(set(files.values()))


def _read_weights(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads all floating-point tensors as float32."""
    tensors: dict[str, np.ndarray] = {}
    for name in _files(folder):
        try:
            tensors |= load_file(folder / name)
        except (OSError, safetensors.SafetensorError) as error:
            raise ConfigError(f"{folder / name} cannot be read ({error}); expected weights as safetensors") from error
    return {name: array.astype(np.float32) for name, array in tensors.items() if array.dtype.kind not in "iub"}
