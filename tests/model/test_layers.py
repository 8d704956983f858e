import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.model.layers import Dropout


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("rate", "dropped"), [(0.1, 26 / 256), (0.5, 0.5)])
def test_dropout_zeroes_at_its_rate_and_keeps_the_mean(rate: float, dropped: float, dtype: jnp.dtype) -> None:
    x = jnp.full((8, 16, 64), 3.0, dtype)
    y = Dropout(rate).apply({}, x, False, rngs={"dropout": jax.random.key(0)})
    assert y.dtype == dtype
    zeros = np.asarray(y == 0)
    error = np.sqrt(dropped * (1 - dropped) / zeros.size)
    assert abs(zeros.mean() - dropped) < 4 * error
    # Nor does it depend on the place: the four bytes of a word are four draws.
    assert np.abs(zeros.reshape(-1, 4).mean(axis=0) - dropped).max() < 4 * 2 * error
    pairs = (zeros.reshape(-1, 2).all(axis=1)).mean()
    assert abs(pairs - dropped**2) < 4 * np.sqrt(dropped**2 / (zeros.size / 2))
    np.testing.assert_allclose(np.asarray(y[y != 0], np.float32), 3.0 / (1 - dropped), rtol=1e-2)


@pytest.mark.parametrize(("rate", "deterministic"), [(0.0, False), (0.5, True)])
def test_no_dropout_needs_no_key(rate: float, deterministic: bool) -> None:
    x = jnp.ones((2, 4))
    np.testing.assert_array_equal(Dropout(rate).apply({}, x, deterministic), x)


def test_everything_dropped_is_zero() -> None:
    y = Dropout(1.0).apply({}, jnp.ones((2, 4)), False, rngs={"dropout": jax.random.key(0)})
    assert not np.asarray(y).any()
