import jax
import numpy as np

from videobert_jax.model.kernels.row_attention import row_attention


def test_equals_attention_in_numpy() -> None:
    """Reference for heads [C, S], with positions last."""
    random = np.random.default_rng(0)
    query, key, value, gradient = (random.normal(size=(2, 3, 4, 7)).astype(np.float32) for _ in range(4))
    ids = np.array([[1, 1, 1, 2, 2, 2, 0], [1, 2, 2, 2, 2, 0, 0]], np.int32)
    scores = np.einsum("bhcq,bhck->bhqk", query.astype(np.float64), key)
    shares = np.where((ids[:, :, None] == ids[:, None, :])[:, None], np.exp(scores), 0)
    shares /= shares.sum(axis=-1, keepdims=True)
    result, backward = jax.vjp(lambda *x: row_attention(*x, ids, False), query, key, value)
    # float32 against float64, on values of order 1
    np.testing.assert_allclose(result, np.einsum("bhqk,bhck->bhcq", shares, value), rtol=2e-5, atol=2e-5)
    of_query, of_key, of_value = backward(gradient)
    np.testing.assert_allclose(of_value, np.einsum("bhqk,bhcq->bhck", shares, gradient), rtol=2e-5, atol=2e-5)
    of_shares = np.einsum("bhcq,bhck->bhqk", gradient, value)
    of_scores = shares * (of_shares - (shares * of_shares).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(of_query, np.einsum("bhqk,bhck->bhcq", of_scores, key), rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(of_key, np.einsum("bhqk,bhcq->bhck", of_scores, query), rtol=2e-5, atol=2e-5)
