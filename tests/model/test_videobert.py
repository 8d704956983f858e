import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy_bert
import pytest
import tiny_model
from jax.sharding import AbstractMesh, AxisType
from tiny_model import CONFIG, LENGTH, MAX_SEQUENCES, PREDICTIONS, TOKENS, batch_of, joint, make, read, text, video

from videobert_jax.config import LossWeights
from videobert_jax.objectives.objective import total
from videobert_jax.objectives.pretraining import Pretraining

PARAMS = tiny_model.random_params()
SEQUENCES = ([joint(1), text(2)], [video(3), joint(4)])
ROWS = batch_of(*SEQUENCES)
FLOAT32, BFLOAT16 = make(), make(dtype="bfloat16")

MODERN = {"norm": "pre", "positions": "rotary", "gated": True, "use_bias": False}

# The same arithmetic in another order, in float32, on activations of order 1.
SAME = {"rtol": 2e-5, "atol": 2e-5}


@functools.cache
def gradients(remat: str = "none", unroll: int = 1) -> tuple[jax.Array, Any]:
    """Returns the loss and the gradient of every parameter, with dropout."""
    model = make(dropout=0.3, remat=remat, unroll=unroll)

    def loss(params: Any) -> jax.Array:
        outputs = read(model, params, ROWS, jax.random.key(3))
        objective = Pretraining(TOKENS.text_size, LossWeights())
        return total(objective(outputs, ROWS), objective.weights)

    return jax.jit(jax.value_and_grad(loss))(PARAMS)


@pytest.mark.parametrize("model", [FLOAT32, BFLOAT16], ids=["float32", "bfloat16"])
def test_shapes_and_dtypes(model: Any) -> None:
    outputs = jax.eval_shape(lambda: read(model, PARAMS, ROWS))
    assert (outputs.hidden.shape, outputs.hidden.dtype) == ((2, LENGTH, CONFIG.hidden_size), model.config.dtype)
    assert outputs.predictions.shape == (2, PREDICTIONS, TOKENS.padded_size)
    assert outputs.alignment.shape == (2, MAX_SEQUENCES)
    assert outputs.predictions.dtype == outputs.alignment.dtype == jnp.float32
    params = jax.eval_shape(lambda: model.init(jax.random.key(0), ROWS))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_parameters_have_the_names_that_sharding_and_checkpoints_know() -> None:
    names = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(PARAMS)
    }
    layers, size, mlp = CONFIG.num_layers, CONFIG.hidden_size, CONFIG.mlp_size
    affine = {
        "encoder/layers/attention/out": (layers, size, size),
        "encoder/layers/mlp/wi": (layers, size, mlp),
        "encoder/layers/mlp/wo": (layers, mlp, size),
        "prediction_head/dense": (size, size),
        "pooler": (size, size),
        "alignment_head": (size, 1),
    }
    norms = {
        "embeddings/norm": (size,),
        "encoder/layers/attention_norm": (layers, size),
        "encoder/layers/mlp_norm": (layers, size),
        "prediction_head/norm": (size,),
    }
    assert names == {
        "embeddings/token_embedding/embedding": (TOKENS.padded_size, size),
        "embeddings/position_embedding/embedding": (CONFIG.max_positions, size),
        "embeddings/segment_embedding/embedding": (2, size),
        "prediction_head/bias": (TOKENS.padded_size,),
        "encoder/layers/attention/qkv/kernel": (layers, 3, size, size),
        "encoder/layers/attention/qkv/bias": (layers, 3, size),
        **{f"{name}/kernel": shape for name, shape in affine.items()},
        **{f"{name}/bias": (*shape[:-2], shape[-1]) for name, shape in affine.items()},
        **{f"{name}/{part}": shape for name, shape in norms.items() for part in ("scale", "bias")},
    }


@pytest.mark.slow
def test_first_weights_are_normal_with_deviation_002() -> None:
    params = jax.jit(FLOAT32.init)(jax.random.key(0), ROWS)["params"]
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        kind = path[-1].key
        if kind in ("kernel", "embedding"):
            assert abs(np.std(leaf) / 0.02 - 1) < 4 / np.sqrt(2 * leaf.size), path  # four standard errors
        else:
            assert np.all(np.asarray(leaf) == (kind == "scale")), path
    first, second = params["encoder"]["layers"]["mlp"]["wi"]["kernel"]
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("changes", [{}, MODERN, {"norm": "pre"}, {"activation": "gelu_tanh"}], ids=str)
def test_equals_bert_in_numpy(changes: dict[str, Any]) -> None:
    """Compares hidden states, predictions and alignment of packed sequences to another implementation, in float64."""
    model = make(**changes)
    random = tiny_model.random_params(**changes)
    outputs = jax.tree.map(np.asarray, read(model, random, ROWS))
    params = jax.tree.map(lambda x: x.astype(np.float64), random)
    predicted = 0
    for row, sequences in enumerate(SEQUENCES):
        start = 0
        for index, sequence in enumerate(sequences):
            stop = start + len(sequence.ids)
            expected = numpy_bert.encode(params, sequence, model.config)
            np.testing.assert_allclose(outputs.hidden[row, start:stop], expected, **SAME)
            assert outputs.alignment[row, index] == pytest.approx(numpy_bert.align(params, expected), abs=1e-5)
            places = ROWS["prediction_positions"][row]
            mine = (places >= start) & (places < stop)
            logits = numpy_bert.predict(params, expected[places[mine] - start], model.config)[:, : TOKENS.size]
            np.testing.assert_allclose(outputs.predictions[row, mine, : TOKENS.size], logits, rtol=1e-4, atol=1e-4)
            predicted += mine.sum()
            start = stop
    assert predicted == ROWS["prediction_positions"].size


def test_packing_changes_nothing() -> None:
    """A sequence gives the same outputs alone and at any place in a row, next to any other sequence."""
    mine = joint(8)
    size = len(mine.ids)
    for sequences, index in (([text(9), mine, video(10)], 1), ([mine, joint(11)], 0), ([text(9, words=1), mine], 1)):
        start = sum(len(sequence.ids) for sequence in sequences[:index])
        outputs = read(FLOAT32, PARAMS, batch_of([mine], sequences))
        np.testing.assert_allclose(outputs.hidden[1, start : start + size], outputs.hidden[0, :size], **SAME)
        np.testing.assert_allclose(outputs.alignment[1, index], outputs.alignment[0, 0], **SAME)


def test_padding_is_seen_by_nobody() -> None:
    noisy = {name: values.copy() for name, values in ROWS.items()}
    padding = noisy["sequence_ids"] == 0
    assert padding.any()
    for name, value in (("token_ids", 17), ("segment_types", 1), ("positions", 9)):
        noisy[name][padding] = value
    clean, other = (np.asarray(read(FLOAT32, PARAMS, batch).hidden) for batch in (ROWS, noisy))
    np.testing.assert_array_equal(clean[~padding], other[~padding])
    assert np.isfinite(other).all()
    assert not np.array_equal(clean[padding], other[padding])


def test_ids_that_only_pad_the_table_are_impossible() -> None:
    logits = read(FLOAT32, PARAMS, ROWS).predictions
    probabilities = np.asarray(jax.nn.softmax(logits))
    assert (probabilities[..., TOKENS.size :] == 0).all()
    assert (probabilities[..., : TOKENS.size] > 0).all()
    assert np.isfinite(np.asarray(logits)).all()


@pytest.mark.slow
def test_table_rows_that_only_pad_get_no_gradient() -> None:
    _, grads = gradients()
    for gradient in (grads["embeddings"]["token_embedding"]["embedding"], grads["prediction_head"]["bias"]):
        assert not np.asarray(gradient)[TOKENS.size :].any()
        assert np.asarray(gradient)[: TOKENS.size].reshape(TOKENS.size, -1).any(axis=1).all()


@pytest.mark.slow
def test_every_parameter_gets_a_gradient() -> None:
    _, grads = gradients()
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
        assert np.abs(leaf).max() > 1e-6, path


def test_gathering_first_equals_projecting_everything() -> None:
    everywhere = np.broadcast_to(np.arange(LENGTH, dtype=np.int32), (2, LENGTH))
    everything = read(FLOAT32, PARAMS, {**ROWS, "prediction_positions": everywhere}).predictions
    gathered = np.take_along_axis(np.asarray(everything), ROWS["prediction_positions"][..., None], axis=1)
    np.testing.assert_allclose(read(FLOAT32, PARAMS, ROWS).predictions, gathered, **SAME)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"remat": "dots"}, {"remat": "full"}, {"unroll": 2}], ids=str)
def test_memory_and_speed_switches_change_no_gradient(changes: dict[str, Any]) -> None:
    """Includes dropout, whose masks must be the same in the recomputation."""
    for expected, actual in zip(jax.tree.leaves(gradients()), jax.tree.leaves(gradients(**changes)), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5)


def test_switches_are_obeyed() -> None:
    """Otherwise the test above would compare a program to itself."""

    def traced(**changes: Any) -> str:
        return str(jax.make_jaxpr(lambda params: make(**changes).apply({"params": params}, ROWS))(PARAMS))

    assert "policy=None" in traced(remat="full")
    assert "policy=SaveOnlyTheseNames" in traced(remat="dots")
    assert "remat" not in traced()
    assert "unroll=2" in traced(unroll=2)


def test_bfloat16_is_close_to_float32() -> None:
    """Each rounding to bfloat16's 8 significant bits loses up to 0.4 %; there are some tens of them in a row here."""
    exact, rough = (read(model, PARAMS, ROWS) for model in (FLOAT32, BFLOAT16))
    logits, rough_logits = (outputs.predictions[..., : TOKENS.size] for outputs in (exact, rough))
    assert 0 < np.linalg.norm(rough_logits - logits) < 0.05 * np.linalg.norm(logits)
    np.testing.assert_allclose(rough.alignment, exact.alignment, atol=0.1)


def test_logits_are_summed_in_float32() -> None:
    """Rounded to bfloat16 they would have only 8 significant bits."""
    unbiased = {**PARAMS["prediction_head"], "bias": np.zeros(TOKENS.padded_size, np.float32)}
    logits = read(BFLOAT16, {**PARAMS, "prediction_head": unbiased}, ROWS).predictions[..., : TOKENS.size]
    assert np.mean(np.asarray(logits.astype(jnp.bfloat16).astype(jnp.float32) != logits)) > 0.9


@pytest.mark.slow
def test_dropout_follows_its_key_and_is_off_without() -> None:
    model = make(dropout=0.1)
    still, *dropped = (
        np.asarray(read(model, PARAMS, ROWS, None if seed is None else jax.random.key(seed)).predictions)
        for seed in (None, 1, 1, 2)
    )
    np.testing.assert_allclose(still, read(FLOAT32, PARAMS, ROWS).predictions, **SAME)
    np.testing.assert_array_equal(dropped[0], dropped[1])
    assert not np.allclose(dropped[0], still, atol=0.1)
    assert not np.allclose(dropped[0], dropped[2], atol=0.1)


def test_dropout_acts_on_embeddings_and_on_both_outputs_of_a_layer() -> None:
    """If everything is dropped, only normalisations of zeros remain."""
    outputs = read(make(dropout=1.0), PARAMS, ROWS, jax.random.key(0))
    layers = PARAMS["encoder"]["layers"]
    x = np.zeros(CONFIG.hidden_size)
    for index in range(CONFIG.num_layers):
        for name in ("attention_norm", "mlp_norm"):
            x = numpy_bert.normalise(x, {part: values[index] for part, values in layers[name].items()})
    expected = numpy_bert.predict(PARAMS, x, CONFIG)[: TOKENS.size]
    np.testing.assert_allclose(outputs.predictions[..., : TOKENS.size] - expected[None, None], 0, atol=1e-4)


def test_each_layer_has_its_own_dropout() -> None:
    """Its key is an input of the scan, one per layer; a shared key would be a constant of the scan."""
    scan = scan_of(make(dropout=0.1), jax.random.key(0))
    inputs = scan.invars[scan.params["num_consts"] + scan.params["num_carry"] :]
    keys = [var.aval.shape for var in inputs if jnp.issubdtype(var.aval.dtype, jax.dtypes.prng_key)]
    assert keys
    assert {shape[0] for shape in keys} == {CONFIG.num_layers}


def scan_of(model: Any, key: jax.Array | None = None) -> Any:
    """Returns the only scan in the trace of a forward pass, which runs over the layers."""
    traced = jax.make_jaxpr(lambda params: read.__wrapped__(model, params, ROWS, key))(PARAMS)
    (scan,) = (eqn for eqn in traced.eqns if eqn.primitive.name == "scan")
    return scan


@pytest.mark.parametrize("remat", ["dots", "full"])
def test_what_is_saved_for_the_backward_pass(remat: str) -> None:
    """Each layer saves its input and, with "dots", the results of its products: nothing [S, S], no GELU, no mask."""
    model = make(dropout=0.3, remat=remat)
    forward = functools.partial(read.__wrapped__, model, batch=ROWS, key=jax.random.key(3))
    _, backward = jax.eval_shape(lambda params: jax.vjp(forward, params), PARAMS)  # shapes, without computing them
    each = (CONFIG.num_layers, len(SEQUENCES))
    saved = sorted(leaf.shape for leaf in jax.tree.leaves(backward) if leaf.shape[:2] == each)
    size, heads = CONFIG.hidden_size, CONFIG.num_heads
    by_position = [size] + ([size, size, size, CONFIG.mlp_size] if remat == "dots" else [])  # result, out, wo, wi
    by_head = [1, *[size // heads] * 3] if remat == "dots" else []  # sums of the softmax; query, key, value
    assert saved == sorted([(*each, LENGTH, n) for n in by_position] + [(*each, heads, n, LENGTH) for n in by_head])


def test_a_head_is_a_block_of_columns() -> None:
    """Swapping blocks swaps heads, so a split of the fused kernel over `tensor` gives whole heads."""
    order = np.array([2, 0, 3, 1])
    attention = PARAMS["encoder"]["layers"]["attention"]
    qkv, out = attention["qkv"], attention["out"]
    exchanged = {
        "qkv": {name: exchange(values, -1, order) for name, values in qkv.items()},
        "out": {**out, "kernel": exchange(out["kernel"], -2, order)},
    }
    layers = {**PARAMS["encoder"]["layers"], "attention": exchanged}
    one, other = (read(FLOAT32, params, ROWS).hidden for params in (PARAMS, {**PARAMS, "encoder": {"layers": layers}}))
    np.testing.assert_allclose(other, one, **SAME)


def exchange(x: np.ndarray, axis: int, order: np.ndarray) -> np.ndarray:
    """Splits an axis into equal blocks and reorders them."""
    blocks = np.split(x, len(order), axis)
    return np.concatenate([blocks[index] for index in order], axis)


@pytest.mark.parametrize("tensor", [2, 3])
def test_a_mesh_splits_activations_between_layers(tensor: int) -> None:
    """By rows, and by positions if they are divisible; see `by_positions` for the reason."""
    mesh = AbstractMesh((2, 2, tensor), ("data", "fsdp", "tensor"), axis_types=(AxisType.Auto,) * 3)
    divides = ROWS["token_ids"].shape[1] % tensor == 0
    assert divides == (tensor == 2)
    with jax.sharding.use_abstract_mesh(mesh):
        layer = scan_of(make(attention="xla")).params["jaxpr"].eqns
    constraints = [eqn.params["sharding"].spec for eqn in layer if eqn.primitive.name == "sharding_constraint"]
    assert constraints == [jax.P(("data", "fsdp"), "tensor") if divides else jax.P(("data", "fsdp"))]


@pytest.mark.parametrize(("name", "value"), [("positions", CONFIG.max_positions), ("token_ids", TOKENS.padded_size)])
def test_what_is_outside_a_table_shows_as_nan(name: str, value: int) -> None:
    """Otherwise the nearest row would be read, and training would continue silently."""
    batch = {**ROWS, name: ROWS[name].copy()}
    batch[name][0, 0] = value
    assert np.isnan(read(FLOAT32, PARAMS, batch).hidden[0, 0]).all()


def test_a_model_is_known_by_its_configuration() -> None:
    """A static argument of jitted functions must be hashable."""
    assert hash(make()) == hash(make())
    assert make() == make()
    assert make() != make(num_layers=3)
