import math
from typing import Any

import jax
import numpy as np
import pytest
import tiny_model
from tiny_model import PREDICTIONS, TOKENS, batch_of, joint, make, text

from videobert_jax.config import ModelConfig
from videobert_jax.model.flops import step_flops


def products(jaxpr: Any) -> int:
    """FLOPs of all products of matrices of a jaxpr, the body of a scan as often as it runs."""
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
    """Every matrix product of the traced passes, counted one by one; "rows" would compute the scores twice."""
    batch = batch_of([joint(0), text(1)], [text(2)], [joint(3)])
    names = ("token_ids", "positions", "segment_types", "sequence_ids")

    def loss(params: Any) -> jax.Array:
        model = make(gated=gated, attention="xla").bind({"params": params})
        return model.predict(model(*(batch[name] for name in names)), batch["prediction_positions"]).sum()

    params = tiny_model.random_params(gated=gated)
    counted = products(jax.make_jaxpr(jax.value_and_grad(loss))(params).jaxpr)
    assert step_flops(make(gated=gated).config, TOKENS.padded_size, *batch["token_ids"].shape, PREDICTIONS) == counted


def test_bert_base_takes_six_flops_a_parameter_and_token() -> None:
    """The rule of thumb, for the parameters that multiply: 85 million in BERT-base's layers."""
    base = ModelConfig(num_layers=12, hidden_size=768, num_heads=12, mlp_size=3072)
    flops = step_flops(base, 30_720, batch_size=1, sequence_length=1, predictions=0)
    np.testing.assert_allclose(flops, 6 * 85e6, rtol=0.01)
