"""What a model reads of clips besides their visual words."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
import tiny_model
from flax import traverse_util

from videobert_jax.data.batch import Batch
from videobert_jax.data.packing import pack
from videobert_jax.data.records import ClipDetails
from videobert_jax.data.sequences import encode_joint
from videobert_jax.model.videobert import VideoBert
from videobert_jax.model.visual_input import CENTROIDS, CODEBOOKS, READS

TOKENS = dataclasses.replace(tiny_model.TOKENS, feature_size=6, codebooks=3, codebook_size=5)
WORDS, CLIPS = np.array([9, 12], np.int32), np.array([3, 7, 11, 3], np.int32)
FIRST = 1 + len(WORDS) + 1  # the place of the first clip


def make(visual_input: str, **changes: float) -> VideoBert:
    return VideoBert(dataclasses.replace(tiny_model.CONFIG, visual_input=visual_input, **changes), TOKENS)


def batch(seed: int = 0, seen: bool = True) -> Batch:
    rng = np.random.default_rng(seed)
    details = ClipDetails(rng.normal(size=(4, 6)).astype(np.float16), rng.integers(0, 5, (4, 3), dtype=np.int32))
    sequence = encode_joint(WORDS, CLIPS, TOKENS)._replace(clips=details if seen else None)
    row = pack([sequence], 16, 2, TOKENS)
    row["prediction_positions"] = np.arange(3, dtype=np.int32)
    return {name: array[None] for name, array in row.items()}


def params_of(network: VideoBert) -> Any:
    shapes = jax.eval_shape(network.init, jax.random.key(0), batch())["params"]
    rng = np.random.default_rng(5)
    return jax.tree.map(lambda leaf: rng.normal(0, 0.3, leaf.shape).astype(np.float32), shapes)


def hidden(network: VideoBert, params: Any, given: Batch) -> np.ndarray:
    return np.asarray(tiny_model.read(network, params, given).hidden)


@pytest.mark.parametrize("visual_input", READS)
def test_it_reads_what_it_says_and_nothing_else(visual_input: str) -> None:
    network, given = make(visual_input), batch()
    params = params_of(network)
    for name in ("clip_features", "clip_codes"):
        changed = {**given, name: batch(1)[name]}
        differs = not np.array_equal(hidden(network, params, changed), hidden(network, params, given))
        assert differs == (name in READS[visual_input]), name
    only_read = {name: given[name] for name in network.arrays}
    np.testing.assert_array_equal(hidden(network, params, only_read), hidden(network, params, given))


def test_the_feature_stands_beside_the_word_or_in_its_place() -> None:
    given = batch()
    other = {**given, "token_ids": given["token_ids"].copy()}
    other["token_ids"][0, FIRST] += 1  # another word with the same feature
    for visual_input, same in (("features", True), ("both", False)):
        network = make(visual_input)
        params = params_of(network)
        assert np.array_equal(hidden(network, params, other), hidden(network, params, given)) == same


@pytest.mark.parametrize("visual_input", ["codes", "features", "both"])
def test_a_word_of_which_no_more_is_known_gets_its_centroid(visual_input: str) -> None:
    network = make(visual_input)
    params = params_of(network)
    centroids = traverse_util.flatten_dict(params, sep="/")[CENTROIDS]
    unseen, seen = batch(seen=False), batch()
    seen["clip_features"][0, FIRST : FIRST + 4] = centroids[CLIPS]
    unseen_alone = {name: array for name, array in unseen.items() if not name.startswith("clip_")}
    np.testing.assert_array_equal(hidden(network, params, unseen_alone), hidden(network, params, unseen))
    if visual_input == "codes":
        told = with_table(params, CODEBOOKS, np.zeros_like)
        np.testing.assert_array_equal(hidden(network, told, seen), hidden(network, params, unseen))
    else:  # within the precision of float16
        np.testing.assert_allclose(hidden(network, params, seen), hidden(network, params, unseen), atol=5e-3)
        moved = with_table(params, CENTROIDS, lambda table: table + 1)
        np.testing.assert_array_equal(hidden(network, moved, seen), hidden(network, params, seen))
    moved = with_table(params, CENTROIDS, lambda table: table + 1)
    assert not np.array_equal(hidden(network, moved, unseen), hidden(network, params, unseen))


def test_words_tell_the_feature_that_their_vectors_add_up_to() -> None:
    codes, features = make("codes"), make("both")
    params, given = params_of(codes), batch()
    flat = traverse_util.flatten_dict(params, sep="/")
    codebooks = flat[CODEBOOKS].reshape(3, 5, 6)
    added = sum(codebooks[number, given["clip_codes"][0, FIRST : FIRST + 4, number]] for number in range(3))
    given["clip_features"] = given["clip_features"].astype(np.float32)
    given["clip_features"][0, FIRST : FIRST + 4] = flat[CENTROIDS][CLIPS] + added
    told, read = hidden(codes, params, given), hidden(features, without_codebooks(params), given)
    np.testing.assert_allclose(told, read, atol=1e-5)  # sums in another order


def with_table(params: Any, path: str, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    flat = traverse_util.flatten_dict(params, sep="/")
    return traverse_util.unflatten_dict({**flat, path: change(flat[path])}, sep="/")


def without_codebooks(params: Any) -> Any:
    flat = traverse_util.flatten_dict(params, sep="/")
    return traverse_util.unflatten_dict({path: value for path, value in flat.items() if path != CODEBOOKS}, sep="/")


@pytest.mark.parametrize("visual_input", ["codes", "features", "both"])
def test_training_reads_features_with_noise(visual_input: str) -> None:
    noisy, plain = make(visual_input, feature_noise=0.5, dropout=0.0), make(visual_input, dropout=0.0)
    params, given = params_of(plain), batch()

    def trained(given: Batch, seed: int) -> np.ndarray:
        return np.asarray(tiny_model.read(noisy, params, given, jax.random.key(seed)).hidden)

    np.testing.assert_array_equal(hidden(noisy, params, given), hidden(plain, params, given))
    np.testing.assert_array_equal(trained(given, 1), trained(given, 1))
    assert not np.array_equal(trained(given, 1), trained(given, 2))
    given["token_ids"][0, FIRST : FIRST + 4] = TOKENS.mask
    np.testing.assert_array_equal(trained(given, 1), hidden(plain, params, given))  # a masked clip has no noise either


@pytest.mark.parametrize("visual_input", ["codes", "features", "both"])
def test_a_masked_clip_gives_nothing(visual_input: str) -> None:
    network = make(visual_input)
    params, given, other = params_of(network), batch(), batch(1)
    for one in (given, other):
        one["token_ids"][0, FIRST : FIRST + 4] = TOKENS.mask
    np.testing.assert_array_equal(hidden(network, params, other), hidden(network, params, given))


@pytest.mark.parametrize("visual_input", ["codes", "both"])
def test_tables_of_the_vocabulary_get_no_gradient(visual_input: str) -> None:
    network, given = make(visual_input), batch(seen=visual_input == "codes")
    gradient = jax.grad(lambda params: tiny_model.read(network, params, given).hidden.sum())(params_of(network))
    flat = traverse_util.flatten_dict(gradient, sep="/")
    assert not any(flat[path].any() for path in (CENTROIDS, CODEBOOKS) if path in flat)
    assert flat["embeddings/visual_input/feature/kernel"].any()


def test_the_projection_counts_among_the_flops() -> None:
    given = batch()
    words, codes, both = (make(visual_input).flops(given) for visual_input in ("words", "codes", "both"))
    assert codes == both
    assert both - words == 4 * given["token_ids"].size * TOKENS.feature_size * tiny_model.CONFIG.hidden_size
