import jax
import jax.numpy as jnp
import numpy as np

from videobert_jax.model.kernels.lookup import lookup

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_reads_rows_and_nan_outside_the_table() -> None:
    found = lookup(TABLE, np.array([[2, 0], [3, 4]], np.int32), jnp.bfloat16)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found[0], TABLE[[2, 0]])
    np.testing.assert_array_equal(found[1, 0], TABLE[3])
    assert np.isnan(np.asarray(found[1, 1], np.float32)).all()


def test_the_gradient_is_summed_in_float32() -> None:
    """In bfloat16, a sum of ones would stop at 256; ids outside the table add to no row."""
    ids = np.array([[1] * 300 + [3] + [4] * 9], np.int32)
    _, backward = jax.vjp(lambda table: lookup(table, ids, jnp.bfloat16), TABLE)
    (gradient,) = backward(jnp.ones((*ids.shape, 3), jnp.bfloat16))
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient[:, 0], [0, 300, 0, 1])
