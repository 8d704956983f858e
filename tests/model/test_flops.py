import math
from typing import Any

import jax
import numpy as np
import pytest
import tiny_model
from jax.interpreters.partial_eval import dce_jaxpr
from tiny_model import TOKENS, batch_of, joint, make, text

from videobert_jax.config import ModelConfig
from videobert_jax.model.trunk import Trunk
from videobert_jax.model.videobert import VideoBert


def products(jaxpr: Any) -> int:
    """Counts the FLOPs of all matrix products in a jaxpr, with the body of a scan as often as it runs."""
    count = 0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            left = eqn.invars[0].aval.shape
            if len(contracted) == len(left):
                continue  # a sum over rows, for a bias
            count += 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)
        times = eqn.params.get("length", 1) if eqn.primitive.name == "scan" else 1
        for inner in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
            inner = getattr(inner, "jaxpr", inner)
            count += times * products(inner) if hasattr(inner, "eqns") else 0
    return count


@pytest.mark.parametrize("gated", [False, True])
def test_formula_equals_the_products_of_a_step(gated: bool) -> None:
    """Counts every matrix product of the traced passes; "rows" would compute the scores twice."""
    batch = batch_of([joint(0), text(1)], [text(2)], [joint(3)])
    network = make(gated=gated, attention="xla")
    trunk = Trunk(network.config, TOKENS)

    def predictions(params: Any) -> jax.Array:
        return network.apply({"params": params}, batch).predictions.sum()

    def hidden(params: Any) -> jax.Array:
        return trunk.apply({"params": params}, batch, method="hidden").sum()

    params = tiny_model.random_params(gated=gated)
    for model, loss in ((network, predictions), (trunk, hidden)):
        jaxpr = jax.make_jaxpr(jax.value_and_grad(loss))(params).jaxpr
        jaxpr, _ = dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))  # without the alignment head
        assert model.flops(jax.eval_shape(lambda: batch)) == products(jaxpr)


def test_bert_base_takes_six_flops_a_parameter_and_token() -> None:
    """The rule of thumb, for the parameters that multiply: 85 million in BERT-base's layers."""
    base = ModelConfig(num_layers=12, hidden_size=768, num_heads=12, mlp_size=3072)
    shapes = {"token_ids": np.zeros((1, 1)), "prediction_positions": np.zeros((1, 0))}
    np.testing.assert_allclose(VideoBert(base, TOKENS).flops(shapes), 6 * 85e6, rtol=0.01)
