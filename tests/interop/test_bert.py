"""Import and export of BERT. `record_bert.py` recorded the outputs of `transformers` for a real one, from a package."""

import dataclasses
import functools
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
import record_bert
import safetensors.numpy
import tokenizers
import transformers
from flax import traverse_util
from tokenizers import models

from videobert_jax import tokenizer
from videobert_jax.config import ModelConfig
from videobert_jax.errors import ConfigError
from videobert_jax.interop.bert import INDEX, REST, WEIGHTS, load_bert, require_vocabulary, save_bert
from videobert_jax.model.videobert import VideoBert
from videobert_jax.tokens import TokenSpace

MINILM = ModelConfig(num_layers=6, hidden_size=384, num_heads=12, mlp_size=1536, dtype="float32", dropout=0.0)
TINY = ModelConfig(
    num_layers=2, hidden_size=12, num_heads=3, mlp_size=20, max_positions=16, dtype="float32", dropout=0.0
)
# float32 sums in another order; the hidden states are of size 1
TOLERANCE = 1e-4


def tokens(text_size: int) -> TokenSpace:
    return TokenSpace(text_size, visual_size=10, pad=0, unknown=100, cls=101, sep=102, mask=103, joiner=1)


def params_of(config: ModelConfig, space: TokenSpace) -> dict[str, Any]:
    """Parameters of a model, all random."""
    row = {name: np.zeros((1, 16), np.int32) for name in ("token_ids", "positions", "segment_types", "sequence_ids")}
    row |= {"prediction_positions": np.zeros((1, 2), np.int32), "cls_positions": np.zeros((1, 1), np.int32)}
    shapes = jax.eval_shape(VideoBert(config, space).init, jax.random.key(0), row)["params"]
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.standard_normal(x.shape, np.float32), shapes)


@pytest.fixture(scope="module")
def minilm_folder() -> pathlib.Path:
    return record_bert.model_folder()


@pytest.fixture(scope="module")
def minilm(minilm_folder: pathlib.Path) -> dict[str, Any]:
    """Our parameters: its own over freshly initialised ones."""
    space = tokens(30522)
    flat = traverse_util.flatten_dict(params_of(MINILM, space), sep="/")
    for path, rows in load_bert(minilm_folder, MINILM, space).items():
        flat[path][: len(rows)] = rows
    return traverse_util.unflatten_dict(flat, sep="/")


@pytest.mark.slow
def test_hidden_states_are_those_of_transformers(minilm: dict[str, Any]) -> None:
    expected = np.load(record_bert.TARGET)
    rows, length = expected["ids"].shape
    places = np.broadcast_to(np.arange(length, dtype=np.int32), (rows, length))
    inside = places < expected["lengths"][:, None]
    model = VideoBert(MINILM, tokens(30522))
    batch = {"token_ids": expected["ids"], "positions": places, "segment_types": np.zeros_like(places)}
    batch["sequence_ids"] = inside.astype(np.int32)
    read = jax.jit(functools.partial(model.apply, method="hidden"))
    hidden = np.asarray(read({"params": minilm}, batch))
    np.testing.assert_allclose(hidden[..., ::16][inside], expected["hidden"][inside], atol=TOLERANCE)
    pooled = np.tanh(hidden[:, 0] @ minilm["pooler"]["kernel"] + minilm["pooler"]["bias"])
    np.testing.assert_allclose(pooled[..., ::16], expected["pooled"], atol=TOLERANCE)


@pytest.mark.slow
def test_what_came_in_goes_out_bitwise(
    minilm: dict[str, Any], minilm_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    save_bert(tmp_path, minilm, MINILM, tokens(30522))
    before = real_tensors(minilm_folder)
    after = safetensors.numpy.load_file(tmp_path / WEIGHTS)
    for name, array in before.items():
        np.testing.assert_array_equal(after[f"bert.{name}"], array, err_msg=name)
    extra = after.keys() - {f"bert.{name}" for name in before}
    assert extra and all(name.startswith("cls.predictions.") for name in extra)


@pytest.mark.needs("torch")
def test_transformers_loads_what_came_in_bitwise(
    minilm: dict[str, Any], minilm_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The test above says the same of the file."""
    save_bert(tmp_path, minilm, MINILM, tokens(30522))
    masked, problems = transformers.BertForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    pooler = problems.pop("unexpected_keys")  # which this class has no use for
    assert not any(problems.values()) and pooler == {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    pooled = transformers.BertModel.from_pretrained(tmp_path).state_dict()
    for name, array in real_tensors(minilm_folder).items():
        np.testing.assert_array_equal(pooled[name].numpy(), array, err_msg=name)
        if not name.startswith("pooler"):
            np.testing.assert_array_equal(masked.state_dict()[f"bert.{name}"].numpy(), array, err_msg=name)
    head = masked.state_dict()["cls.predictions.transform.dense.weight"].numpy()
    np.testing.assert_array_equal(head.T, minilm["prediction_head"]["dense"]["kernel"])


def real_tensors(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """The parameters of the real BERT; position_ids are not parameters."""
    tensors = safetensors.numpy.load_file(folder / WEIGHTS)
    return {name: array for name, array in tensors.items() if name != "embeddings.position_ids"}


@pytest.fixture
def exported(tmp_path: pathlib.Path) -> tuple[pathlib.Path, dict[str, Any]]:
    """A tiny model written, and its parameters."""
    params = params_of(TINY, tokens(120))
    save_bert(tmp_path / "bert", params, TINY, tokens(120))
    return tmp_path / "bert", params


def test_out_and_in_is_the_text_side(exported: tuple[pathlib.Path, dict[str, Any]]) -> None:
    folder, params = exported
    flat = traverse_util.flatten_dict(params, sep="/")
    loaded = load_bert(folder, TINY, tokens(120))
    assert flat.keys() - loaded.keys() == {"alignment_head/kernel", "alignment_head/bias"}
    for path, rows in loaded.items():
        np.testing.assert_array_equal(rows, flat[path][: len(rows)], err_msg=path)
        joint = path in ("embeddings/token_embedding/embedding", "prediction_head/bias")
        assert len(rows) == (120 if joint else len(flat[path]))
    rest = safetensors.numpy.load_file(folder / REST)
    np.testing.assert_array_equal(rest["visual_words.weight"], flat["embeddings/token_embedding/embedding"][120:130])
    np.testing.assert_array_equal(rest["alignment_head.kernel"], params["alignment_head"]["kernel"])


def test_shards_old_names_and_halves_are_read(exported: tuple[pathlib.Path, dict[str, Any]]) -> None:
    """With the norm's names in TensorFlow's first checkpoints, without the head, in bfloat16, in two files."""
    folder, _ = exported
    expected = load_bert(folder, TINY, tokens(120))
    tensors = safetensors.numpy.load_file(folder / WEIGHTS)
    renamed = {
        name.removeprefix("bert.").replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): array
        for name, array in tensors.items()
        if name.startswith("bert.")
    }
    renamed["embeddings.position_ids"] = np.arange(16)[None]
    shards = {"a.safetensors": sorted(renamed)[::2], "b.safetensors": sorted(renamed)[1::2]}
    for file, names in shards.items():
        halves = {name: renamed[name].astype(ml_dtypes.bfloat16) for name in names}
        safetensors.numpy.save_file(halves, folder / file)
    (folder / WEIGHTS).unlink()
    places = {name: file for file, names in shards.items() for name in names}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    loaded = load_bert(folder, TINY, tokens(120))
    assert loaded.keys() == {path for path in expected if not path.startswith("prediction_head")}
    for path, array in loaded.items():
        np.testing.assert_array_equal(array, expected[path].astype(ml_dtypes.bfloat16).astype(np.float32), err_msg=path)


def test_a_smaller_vocabulary_and_fewer_positions_take_the_first_rows(
    exported: tuple[pathlib.Path, dict[str, Any]],
) -> None:
    folder, params = exported
    loaded = load_bert(folder, dataclasses.replace(TINY, max_positions=8), tokens(110))
    table = params["embeddings"]["token_embedding"]["embedding"]
    np.testing.assert_array_equal(loaded["embeddings/token_embedding/embedding"], table[:110])
    assert loaded["prediction_head/bias"].shape == (110,)
    assert loaded["embeddings/position_embedding/embedding"].shape == (8, 12)


def test_other_layers_than_berts_are_refused_both_ways(exported: tuple[pathlib.Path, dict[str, Any]]) -> None:
    modern = dataclasses.replace(TINY, norm="pre", use_bias=False)
    expected = r"only a model with BERT's architecture .*model\.norm is 'pre', BERT's 'post'; model\.use_bias is False"
    with pytest.raises(ConfigError, match=expected):
        load_bert(exported[0], modern, tokens(120))
    with pytest.raises(ConfigError, match=expected):
        save_bert(exported[0], exported[1], modern, tokens(120))


def test_another_model_is_refused_by_each_value(exported: tuple[pathlib.Path, dict[str, Any]]) -> None:
    other = dataclasses.replace(TINY, num_layers=3, mlp_size=16)
    expected = r"num_hidden_layers is 2, expected 3; intermediate_size is 20, expected 16; set config\.model to match"
    with pytest.raises(ConfigError, match=expected):
        load_bert(exported[0], other, tokens(120))


WORDS, QUERY = "bert.embeddings.word_embeddings.weight", "bert.encoder.layer.1.attention.self.query.weight"


def changed(folder: pathlib.Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Rewrites one tensor of a checkpoint."""
    tensors = safetensors.numpy.load_file(folder / WEIGHTS)
    with np.errstate(all="ignore"):
        tensors[name] = np.ascontiguousarray(change(tensors[name]))
    safetensors.numpy.save_file(tensors, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / WEIGHTS).write_bytes(b"short"), "model.safetensors cannot be read"),
        (lambda folder: (folder / WEIGHTS).unlink(), "there is no .*model.safetensors; expected BERT weights"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json holds list"),
        (lambda folder: safetensors.numpy.save_file({}, folder / WEIGHTS), "has no tensor 'bert.embeddings.word_emb"),
        (lambda folder: (folder / INDEX).write_text("{}"), "index.json has no weight_map"),
        (lambda folder: (folder / INDEX).write_text('{"weight_map": {"a": 3}}'), "index.json has no weight_map"),
        (lambda folder: changed(folder, QUERY, lambda x: x[:, :4]), r"query.weight .* \[12, 4\], expected \[12, 12\]"),
        (lambda folder: changed(folder, WORDS, lambda x: x[:, :4]), r"word_emb.* \[120, 4\], expected \[any, 12\]"),
        (lambda folder: changed(folder, WORDS, lambda x: x[:90]), "have 90 rows, expected 120, one for each word"),
        (lambda folder: changed(folder, WORDS, lambda x: x / 0), "word_emb.* has values that are not finite"),
    ],
)
def test_a_damaged_folder_is_named(
    exported: tuple[pathlib.Path, dict[str, Any]], damage: Callable[[pathlib.Path], object], reason: str
) -> None:
    damage(exported[0])
    with pytest.raises(ConfigError, match=reason):
        load_bert(exported[0], TINY, tokens(120))


def words(*extra: str) -> tokenizer.TextTokenizer:
    """A tokenizer of the five special tokens, `others`, and the joiner if it is not among them."""
    vocabulary = {word: index for index, word in enumerate([*tokenizer.ROLES.values(), *extra])}
    return tokenizer.TextTokenizer(tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")))


@pytest.mark.parametrize("file", ["vocab.txt", "tokenizer.json"])
def test_the_same_words_pass_and_the_first_other_one_is_named(tmp_path: pathlib.Path, file: str) -> None:
    if file == "vocab.txt":
        (tmp_path / file).write_text("\n".join([*tokenizer.ROLES.values(), "cut", "stir"]))
    else:
        words("cut", "stir").save(tmp_path)
    require_vocabulary(tmp_path, words("cut", "stir"))
    for other, differing in (
        (words("stir", "cut"), "id 5 is 'stir' in the prepared data, 'cut'"),
        (words("cut"), "id 6 is '[>]' in the prepared data, 'stir'"),
        (words("cut", "stir", "[>]", "x"), "id 8 is 'x' in the prepared data, ''"),
    ):
        with pytest.raises(ConfigError, match=f"^{re.escape(differing)} in the checkpoint"):
            require_vocabulary(tmp_path, other)


def test_without_a_tokenizer_the_number_of_words_has_to_be_right(exported: tuple[pathlib.Path, dict[str, Any]]) -> None:
    folder, _ = exported  # of 120 words
    require_vocabulary(folder, words(*(f"w{index}" for index in range(115))))  # and the joiner
    require_vocabulary(folder, words(*(f"w{index}" for index in range(114))))  # the joiner among them
    for other in (words(*(f"w{index}" for index in range(113))), words("[>]", *(f"w{index}" for index in range(115)))):
        with pytest.raises(ConfigError, match=f"has 120 words, the prepared data {other.size}; prepare with the"):
            require_vocabulary(folder, other)


def test_a_tokenizer_that_is_none_is_named(exported: tuple[pathlib.Path, dict[str, Any]]) -> None:
    (exported[0] / "vocab.txt").write_text("cut\n")
    with pytest.raises(ConfigError, match=str(exported[0])):
        require_vocabulary(exported[0], words("cut"))
