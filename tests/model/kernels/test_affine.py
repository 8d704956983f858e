"""Compares the product and its gradients to NumPy, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.model.kernels.affine import affine
from videobert_jax.model.kernels.partition import COLUMN_WISE, ROW_WISE

# By name: the kernel's shape, the axis summed over, its mesh axes, and the product as NumPy writes it.
LAYOUTS = {
    "dense": ((8, 5), 0, COLUMN_WISE, "bsd,df->bsf"),
    "table": ((5, 8), 1, ROW_WISE, "bsd,fd->bsf"),
    "parts": ((3, 8, 5), 1, jax.P(None, *COLUMN_WISE), "bsd,pdf->bspf"),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_are_float32_and_rounded_once(layout: str, biased: bool, dtype: str) -> None:
    shape, axis, split, formula = LAYOUTS[layout]
    inputs, result = formula.split("->")
    x_axes, kernel_axes = inputs.split(",")
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 3, 8)), dtype)
    kernel = random.normal(size=shape).astype(np.float32)
    bias = random.normal(size=np.delete(shape, axis)).astype(np.float32) if biased else None
    product, backward = jax.vjp(lambda *args: affine(*args, axis, dtype, split), x, kernel, bias)
    slope = jnp.asarray(random.normal(size=product.shape), dtype)
    of_x, of_kernel, of_bias = backward(slope)

    assert product.dtype == of_x.dtype == dtype
    exact_x, exact_slope = np.asarray(x, np.float64), np.asarray(slope, np.float64)
    rounded = np.asarray(jnp.asarray(kernel, dtype), np.float64)  # as it is multiplied
    once = 1e-5 if dtype == "float32" else 2**-8  # one rounding to 8 bits
    expected = np.einsum(formula, exact_x, rounded) + (bias if biased else 0)
    np.testing.assert_allclose(np.asarray(product, np.float64), expected, rtol=once, atol=1e-5)
    expected = np.einsum(f"{result},{kernel_axes}->{x_axes}", exact_slope, rounded)
    np.testing.assert_allclose(np.asarray(of_x, np.float64), expected, rtol=once, atol=1e-5)
    # Gradients of parameters are not rounded at all.
    expected = np.einsum(f"{x_axes},{result}->{kernel_axes}", exact_x, exact_slope)
    np.testing.assert_allclose(of_kernel, expected, rtol=1e-5, atol=1e-5)
    assert (of_bias is None) != biased
    if biased:
        np.testing.assert_allclose(of_bias, exact_slope.sum(axis=(0, 1)), rtol=1e-5, atol=1e-5)
