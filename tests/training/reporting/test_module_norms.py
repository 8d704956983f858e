import jax
import numpy as np

from videobert_jax.training.reporting import module_norms


def test_each_module_and_each_of_its_layers_has_its_norm() -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 4, 5)).astype(np.float32), rng.normal(size=(3, 5)).astype(np.float32)
    head = rng.normal(size=(5,)).astype(np.float32)
    tree = {"encoder": {"layers": {"wi": {"kernel": kernel, "bias": bias}}}, "head": {"bias": head}}
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)
    found = module_norms.named(shapes, np.asarray(module_norms.vector(tree)))
    assert found.keys() == {"encoder/layers/wi", "head"}
    expected = [np.sqrt((kernel[layer] ** 2).sum() + (bias[layer] ** 2).sum()) for layer in range(3)]
    np.testing.assert_allclose(found["encoder/layers/wi"], expected, rtol=1e-6)
    np.testing.assert_allclose(found["head"], np.linalg.norm(head), rtol=1e-6)
