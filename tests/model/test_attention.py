"""Compares the kernels, with those for TPUs interpreted on the CPU, to plain attention."""

import contextlib
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu

from videobert_jax.config import MeshConfig, ModelConfig
from videobert_jax.errors import ConfigError
from videobert_jax.model import attention
from videobert_jax.model.attention import Mask, attend
from videobert_jax.model.kernels import row_attention
from videobert_jax.training import sharding

# Sums over some hundred positions in another order, in float32, of values of order 1.
SAME = {"rtol": 2e-5, "atol": 2e-5}


def arrays(length: int, heads: int = 2, channels: int = 64, rows: int = 2) -> tuple[list[np.ndarray], np.ndarray]:
    """Queries, keys, values and a gradient [B, S, H, C], and sequence ids [B, S] in runs with padding behind."""
    random = np.random.default_rng(0)
    shape = (rows, length, heads, channels)
    values = [random.normal(size=shape).astype(np.float32) for _ in range(4)]
    values[0] /= np.sqrt(channels)
    ids = np.sort(random.integers(0, 5, (rows, length), dtype=np.int32), axis=1)[:, ::-1].copy()
    assert (ids == 0).any()
    return values, ids


def both_ways(implementation: str, values: list[np.ndarray], ids: np.ndarray) -> list[np.ndarray]:
    """Returns the result and the gradients of query, key and value."""
    *inputs, gradient = values
    result, backward = jax.vjp(lambda *x: attend(*x, Mask(ids), implementation), *inputs)
    return [np.asarray(x) for x in (result, *backward(gradient))]


@functools.cache
def plain(length: int, heads: int) -> list[np.ndarray]:
    return both_ways("xla", *arrays(length, heads))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("implementation", "length", "heads"),
    [("rows", 40, 2), ("pallas", 128, 2), ("pallas", 384, 3), ("pallas", 256, 8), ("splash", 256, 2)],
)
@pytest.mark.parametrize("mesh", [False, True])
def test_kernels_equal_plain_attention(
    implementation: str, length: int, heads: int, mesh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Splash has an interpreter of its own; that of TPUs does not know how to repeat it for every row.
    interpreted = functools.partial(attention.splash.make_splash_mha_single_device, interpret=True)
    monkeypatch.setattr(attention.splash, "make_splash_mha_single_device", interpreted)
    values, ids = arrays(length, heads)
    expected = plain(length, heads)
    one_device = sharding.make_mesh(MeshConfig(), jax.devices()[:1])
    with (
        pltpu.force_tpu_interpret_mode() if implementation == "pallas" else contextlib.nullcontext(),
        jax.numpy_rank_promotion("allow"),  # splash's own code needs it
        jax.set_mesh(one_device) if mesh else contextlib.nullcontext(),
    ):
        actual = both_ways(implementation, values, ids)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, **SAME)


@pytest.mark.slow
@pytest.mark.parametrize("implementation", ["rows", "pallas"])
def test_kernels_round_to_bfloat16_as_plain_attention_does(implementation: str) -> None:
    values, ids = arrays(256)
    exact = both_ways("xla", values, ids)
    rough = [x.astype(jnp.bfloat16) for x in values]
    with pltpu.force_tpu_interpret_mode():
        rounded = both_ways(implementation, rough, ids)
    plain = both_ways("xla", rough, ids)
    for kernel, xla, expected in zip(rounded, plain, exact, strict=True):
        errors = [np.linalg.norm(x.astype(np.float32) - expected) for x in (kernel, xla)]
        assert errors[0] < 1.2 * errors[1]


@pytest.mark.parametrize("implementation", ["xla", "rows", pytest.param("pallas", marks=pytest.mark.slow)])
def test_a_sequence_sees_itself_alone(implementation: str) -> None:
    values, ids = arrays(128)
    changed = [np.where((ids == 3)[..., None, None], x, x + 1) for x in values]
    with pltpu.force_tpu_interpret_mode():
        one, other = (np.asarray(attend(*x[:3], Mask(ids), implementation)) for x in (values, changed))
    np.testing.assert_array_equal(one[ids == 3], other[ids == 3])
    assert not np.allclose(one[ids != 3], other[ids != 3])


QUERY_IDS = np.array([[1, 1, 2, 2, 2, 3, 0], [2, 1, 1, 4, 4, 0, 0]], np.int32)
KEY_IDS = np.array([[1, 2, 2, 2, 0], [1, 1, 2, 3, 3]], np.int32)  # none of sequence 3 in the first row, 4 in the second


def special(kind: str) -> Mask:
    return {
        "causal": Mask(QUERY_IDS, causal=True),
        "cross": Mask(QUERY_IDS, KEY_IDS),
        "causal cross": Mask(QUERY_IDS, KEY_IDS, causal=True),
    }[kind]


def small(mask: Mask) -> list[np.ndarray]:
    """Queries, keys, values and a gradient."""
    random = np.random.default_rng(1)
    keys = QUERY_IDS.shape[1] if mask.key_ids is None else KEY_IDS.shape[1]
    lengths = (QUERY_IDS.shape[1], keys, keys, QUERY_IDS.shape[1])
    return [random.normal(size=(2, length, 3, 4)).astype(np.float32) for length in lengths]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["causal", "cross", "causal cross"])
def test_xla_takes_every_mask(kind: str) -> None:
    """Compares to attention in NumPy, query by query; a query that sees no key gives 0 and has no gradient."""
    mask = special(kind)
    query, key, value, gradient = small(mask)
    key_ids = QUERY_IDS if mask.key_ids is None else KEY_IDS
    expected, of_value = np.zeros(query.shape), np.zeros(value.shape)
    alone = 0
    for row, place, head in np.ndindex(query.shape[:3]):
        keys = [i for i, sequence in enumerate(key_ids[row]) if sequence == QUERY_IDS[row, place]]
        keys = [i for i in keys if i <= place] if mask.causal else keys
        shares = np.exp(key[row, keys, head].astype(np.float64) @ query[row, place, head])
        shares /= shares.sum()
        expected[row, place, head] = shares @ value[row, keys, head]
        of_value[row, keys, head] += shares[:, None] * gradient[row, place, head]
        alone += not keys
    assert bool(alone) == (mask.key_ids is not None)
    result, backward = jax.vjp(lambda *x: attend(*x, mask, "xla"), query, key, value)
    slopes = backward(gradient)
    np.testing.assert_allclose(result, expected, **SAME)
    np.testing.assert_allclose(slopes[2], of_value, **SAME)
    assert all(np.isfinite(slope).all() for slope in slopes)
    np.testing.assert_array_equal(attend(query, key, value, mask, "auto"), result)


@pytest.mark.parametrize("kind", ["causal", "cross"])
@pytest.mark.parametrize("implementation", ["rows", "pallas", "splash", "cudnn"])
def test_kernels_refuse_what_they_would_compute_wrongly(implementation: str, kind: str) -> None:
    mask = special(kind)
    named = {"causal": "causal", "cross": "for cross-attention"}[kind]
    with pytest.raises(ConfigError, match=f"'{implementation}'.* this mask is {named}, which only xla supports"):
        attend(*small(mask)[:3], mask, implementation)


def test_a_mask_is_the_same_on_its_way_through_jit() -> None:
    values, ids = arrays(40)
    through = jax.jit(lambda mask: attend(*values[:3], mask, "rows"))(Mask(ids))
    np.testing.assert_allclose(through, attend(*values[:3], Mask(ids), "rows"), **SAME)


@pytest.mark.parametrize(
    ("platform", "length", "dtype", "expected"),
    [
        ("tpu", 512, "bfloat16", "pallas"),
        ("tpu", row_attention.LONGEST, "float32", "pallas"),
        ("tpu", 2048, "bfloat16", "splash"),
        ("tpu", 500, "bfloat16", "xla"),
        ("gpu", 512, "bfloat16", "cudnn"),
        ("gpu", 512, "float32", "xla"),
        ("cpu", 500, "bfloat16", "rows"),
    ],
)
def test_the_hardware_chooses(platform: str, length: int, dtype: str, expected: str) -> None:
    assert attention.best(platform, length, dtype) == expected
    assert attention.resolved(ModelConfig(dtype=dtype), platform, length).attention == expected
    assert attention.resolved(ModelConfig(attention="xla"), platform, length).attention == "xla"


def test_cudnn_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on GPUs only."""
    asked: list[Any] = []
    monkeypatch.setattr(
        jax.nn, "dot_product_attention", lambda *args, implementation, **_: asked.append(implementation)
    )
    values, ids = arrays(128)
    for implementation in ("cudnn", "xla"):
        attend(*values[:3], Mask(ids), implementation)
    assert asked == ["cudnn", "xla"]


@pytest.mark.parametrize(
    ("name", "platform", "length", "dtype"),
    [
        ("pallas", "cpu", 512, "bfloat16"),
        ("pallas", "tpu", 100, "bfloat16"),
        ("pallas", "tpu", 2048, "bfloat16"),
        ("splash", "gpu", 2048, "bfloat16"),
        ("splash", "tpu", 2000, "bfloat16"),
        ("cudnn", "cpu", 512, "bfloat16"),
        ("cudnn", "gpu", 512, "float32"),
    ],
)
def test_what_the_hardware_cannot_have_is_refused(name: str, platform: str, length: int, dtype: str) -> None:
    message = f"model.attention is '{name}', which needs .* rows of {length} positions, in {dtype}, on '{platform}'"
    with pytest.raises(ConfigError, match=message):
        attention.resolved(ModelConfig(attention=name, dtype=dtype), platform, length)


@pytest.mark.parametrize(
    ("name", "platform", "length"),
    [("pallas", "tpu", 512), ("splash", "tpu", 2048), ("cudnn", "cuda", 300), ("xla", "tpu", 7), ("rows", "gpu", 7)],
)
def test_what_it_can_have_stays(name: str, platform: str, length: int) -> None:
    assert attention.resolved(ModelConfig(attention=name), platform, length).attention == name
