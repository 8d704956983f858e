"""The step of a trivial model: a linear map of each row."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.config import OptimizerConfig
from videobert_jax.evaluation import held_out
from videobert_jax.training.optimizer import make_optimizer
from videobert_jax.training.state import TrainState, initializer
from videobert_jax.training.step import Batch, make_eval_step, make_train_step

ROWS, NAMES = 12, ("text", "video", "alignment")
KEYS: set[tuple[int, ...]] = set()  # dropout keys of all calls of the model


class Objective:
    """Squared errors of three outputs, each with its own weights."""

    weights, whole_batch = dict.fromkeys(NAMES, 1.0), False

    def __call__(self, outputs, batch):
        errors = (outputs - batch["targets"]) ** 2 * batch["weights"]
        counts = self.counts(batch)
        return {f"loss/{name}": (jnp.sum(errors[:, i]), counts[name]) for i, name in enumerate(NAMES)}

    def counts(self, batch):
        return {name: jnp.sum(batch["weights"][:, i]) for i, name in enumerate(NAMES)}


class Linear(nn.Module):
    """Records its dropout keys, and drops nothing."""

    @nn.compact
    def __call__(self, batch: Batch, deterministic: bool = True) -> jax.Array:
        if not deterministic:
            data = jax.random.key_data(self.make_rng("dropout"))
            jax.debug.callback(lambda data: KEYS.add(tuple(data.tolist())), data)
        return batch["inputs"] @ self.param("kernel", nn.initializers.normal(), (5, 3))


def make_batch() -> Batch:
    """Rows with uneven weights: micro-batches have different counts, one of them zero."""
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 2, (ROWS, 3)).astype(np.float32)
    weights[::4] = 0
    return {
        "inputs": jnp.asarray(rng.normal(size=(ROWS, 5)), jnp.float32),
        "targets": jnp.asarray(rng.normal(size=(ROWS, 3)), jnp.float32),
        "weights": jnp.asarray(weights),
        "sequence_ids": jnp.asarray(rng.integers(0, 3, (ROWS, 7)), jnp.int32),
    }


def run(steps: int = 1, **changes) -> tuple[TrainState, list[dict[str, float]]]:
    config = OptimizerConfig(learning_rate=0.1, warmup_steps=4, **changes)
    optimizer = make_optimizer(config, 10)
    init = initializer(lambda key: {"kernel": jax.random.normal(key, (5, 3))}, optimizer.transformation, 0)
    step = jax.jit(make_train_step(Linear(), Objective(), optimizer, config.accumulation))
    state, metrics = init(), []
    for _ in range(steps):
        state, pairs = step(state, make_batch())
        metrics.append({name: float(total / count) for name, (total, count) in pairs.items() if count})
    return state, metrics


@pytest.mark.slow
def test_accumulation_changes_nothing() -> None:
    """The mean of the micro-batches' means would differ, since their counts do."""
    whole, (expected,) = run()
    for parts in (3, 12):
        state, (metrics,) = run(accumulation=parts)
        assert metrics == pytest.approx(expected, rel=1e-5)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), state.params, whole.params)


@pytest.mark.slow
def test_every_step_and_micro_batch_has_its_own_key() -> None:
    KEYS.clear()
    run(steps=3, accumulation=4)
    jax.effects_barrier()
    seen = set(KEYS)
    assert len(seen) == 3 * 4
    run(steps=3, accumulation=4)
    jax.effects_barrier()
    assert seen == KEYS, "the keys depend on something else than seed and step"


def test_metrics_of_the_update() -> None:
    state, metrics = run(steps=3)
    assert [step["learning_rate"] for step in metrics] == pytest.approx([0.025, 0.05, 0.075])
    assert metrics[0]["fill"] == pytest.approx(float(jnp.mean(make_batch()["sequence_ids"] > 0)))
    assert metrics[0]["loss"] == pytest.approx(sum(metrics[0][f"loss/{name}"] for name in NAMES), rel=1e-6)
    assert metrics[-1]["parameter_norm"] == pytest.approx(float(jnp.linalg.norm(state.params["kernel"])), rel=1e-6)
    assert metrics[-1]["loss"] < metrics[0]["loss"]
    assert int(state.step) == 3


def test_evaluation_sums_over_batches() -> None:
    batch = make_batch()
    halves = [{name: x[part] for name, x in batch.items()} for part in (slice(0, 6), slice(6, ROWS))]
    params, objective = {"kernel": jnp.ones((5, 3))}, Objective()
    step = make_eval_step(Linear(), objective)
    means = held_out.measure(lambda half: step(params, half), halves)
    expected = objective(Linear().apply({"params": params}, batch), batch)
    assert means == pytest.approx({name: float(loss / count) for name, (loss, count) in expected.items()}, rel=1e-6)
    assert held_out.total(means, objective.weights) == pytest.approx(sum(means.values()), rel=1e-6)
    assert held_out.total(means, {"text": 2.0, "absent": 1.0}) == pytest.approx(2 * means["loss/text"], rel=1e-6)
