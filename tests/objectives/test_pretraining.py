import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from videobert_jax.config import LossWeights, ModelConfig
from videobert_jax.model.videobert import Outputs, VideoBert
from videobert_jax.objectives import masked_prediction
from videobert_jax.objectives.objective import Metrics, total
from videobert_jax.objectives.pretraining import Pretraining
from videobert_jax.tokens import Mode, TokenSpace

TOKENS = TokenSpace(text_size=12, visual_size=8, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5)
OBJECTIVE = Pretraining(TOKENS.text_size, LossWeights())
measure = jax.jit(OBJECTIVE)
SELECTIONS = {"text", "video", "text_in_text", "text_in_joint", "video_in_video", "video_in_joint", "alignment"}

# Two rows of 8 positions. The first packs a text-only and a joint sequence, the second a video-only one and a joint
# one whose words come from elsewhere, and a position of padding.
BATCH = {
    "token_ids": np.array([[2, 4, 3, 2, 4, 5, 4, 3], [2, 5, 4, 3, 2, 6, 4, 0]], np.int32),
    "positions": np.array([[0, 1, 2, 0, 1, 2, 3, 4], [0, 1, 2, 3, 0, 1, 2, 0]], np.int32),
    "segment_types": np.array([[0, 0, 0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0, 0, 0]], np.int32),
    "sequence_ids": np.array([[1, 1, 1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 2, 2, 2, 0]], np.int32),
    "sequence_modes": np.array([[Mode.TEXT, Mode.JOINT, Mode.NONE], [Mode.VIDEO, Mode.JOINT, Mode.NONE]], np.int32),
    "prediction_positions": np.array([[1, 4, 6, 0], [2, 6, 7, 0]], np.int32),
    "prediction_targets": np.array([[7, 8, 15, 0], [19, 12, 11, 0]], np.int32),
    "prediction_weights": np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.float32),
    "cls_positions": np.array([[0, 3, 0], [0, 4, 0]], np.int32),
    "alignment_labels": np.array([[0, 1, 0], [0, 0, 0]], np.int32),
    "alignment_weights": np.array([[0, 1, 0], [0, 1, 0]], np.float32),
}
# Which predictions of that batch belong where, by hand.
CHOSEN = {
    "text": [(0, 0), (0, 1)],
    "text_in_text": [(0, 0)],
    "text_in_joint": [(0, 1)],
    "video": [(0, 2), (1, 0), (1, 1)],
    "video_in_video": [(1, 0)],
    "video_in_joint": [(0, 2), (1, 1)],
}


@functools.partial(jax.jit, static_argnums=2)
@jax.value_and_grad
def loss_and_slope(outputs: Outputs, batch: Any, weights: LossWeights, counts: Any = None) -> jax.Array:
    return total(OBJECTIVE(outputs, batch), dataclasses.asdict(weights), counts)


@pytest.fixture(scope="module")
def outputs() -> Outputs:
    random = np.random.default_rng(0)
    predictions = random.normal(size=(2, 4, TOKENS.padded_size)).astype(np.float32)
    predictions[0, 0, 7] = predictions[1, 1, 12] = 9.0  # two that are right, a word and a visual word
    alignment = np.array([[-3.0, 2.0, 5.0], [4.0, 0.5, 1.0]], np.float32)
    return Outputs(np.zeros((2, 8, 1), np.float32), predictions, alignment)  # hidden states are not read


def numbers(metrics: Metrics) -> dict[str, tuple[float, float]]:
    return {name: (float(value), float(count)) for name, (value, count) in metrics.items()}


def test_every_prediction_is_counted_where_it_belongs(outputs: Outputs) -> None:
    metrics = numbers(measure(outputs, BATCH))
    assert set(metrics) == {f"{kind}/{name}" for kind in ("loss", "accuracy") for name in SELECTIONS}
    for name, places in CHOSEN.items():
        losses, correct = [], []
        for place in places:
            logits, target = outputs.predictions[place].astype(np.float64), BATCH["prediction_targets"][place]
            losses.append(np.log(np.exp(logits).sum()) - logits[target])
            correct.append(logits.argmax() == target)
        assert metrics[f"loss/{name}"] == pytest.approx((sum(losses), len(places)), rel=1e-5), name
        assert metrics[f"accuracy/{name}"] == (sum(correct), len(places)), name
    assert metrics["accuracy/text"] == (1, 2)
    assert metrics["accuracy/video"] == (1, 3)


def test_alignment_is_binary_cross_entropy_of_joint_sequences(outputs: Outputs) -> None:
    metrics = numbers(measure(outputs, BATCH))
    aligned, not_aligned = np.log1p(np.exp(-2.0)), np.log1p(np.exp(0.5))
    assert metrics["loss/alignment"] == pytest.approx((aligned + not_aligned, 2), rel=1e-6)
    assert metrics["accuracy/alignment"] == (1, 2)


def test_counts_need_no_outputs(outputs: Outputs) -> None:
    metrics = measure(outputs, BATCH)
    counts = jax.jit(OBJECTIVE.counts)(BATCH)
    assert set(counts) == SELECTIONS
    for name, count in counts.items():
        assert count == metrics[f"loss/{name}"][1] == metrics[f"accuracy/{name}"][1]


def test_parts_add_up_to_the_whole(outputs: Outputs) -> None:
    """Counts are unequal, so that a mean of means would be wrong; the gradients are compared too."""
    weights = LossWeights(text=1.0, video=0.5, alignment=2.0)

    def part(rows: slice) -> tuple[Outputs, dict[str, np.ndarray]]:
        return Outputs(*(values[rows] for values in outputs)), {name: values[rows] for name, values in BATCH.items()}

    counts = OBJECTIVE.counts(BATCH)
    whole, slope = loss_and_slope(outputs, BATCH, weights)
    parts, slopes = [], []
    for rows in (slice(0, 1), slice(1, 2)):
        some, batch = part(rows)
        value, gradient = loss_and_slope(some, batch, weights, counts)
        parts.append(value)
        slopes.append(gradient)
    assert sum(parts) == pytest.approx(float(whole), rel=1e-6)
    joined = jax.tree.map(lambda *x: np.concatenate(x), *slopes)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), joined, slope)


def test_total_weighs_means() -> None:
    metrics = {
        "loss/text": (6.0, 3.0),
        "loss/video": (10.0, 2.0),
        "loss/alignment": (1.0, 4.0),
        "loss/other": (9.0, 1.0),
    }
    assert float(total(metrics, {"text": 1.0, "video": 2.0, "alignment": 4.0})) == 2 + 2 * 5 + 4 * 0.25


def test_what_never_occurs_counts_nothing(outputs: Outputs) -> None:
    """Without predictions and joint sequences, neither the loss nor a gradient is NaN."""
    empty = {**BATCH, **{name: np.zeros_like(BATCH[name]) for name in ("prediction_weights", "alignment_weights")}}
    assert set(numbers(measure(outputs, empty)).values()) == {(0.0, 0.0)}
    loss, slope = loss_and_slope(outputs, empty, LossWeights())
    assert loss == 0
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(slope))


def test_sums_are_float32_for_any_batch_on_any_device(outputs: Outputs) -> None:
    for value, count in jax.eval_shape(OBJECTIVE, outputs, BATCH).values():
        assert (value.dtype, count.dtype, value.shape, count.shape) == (jnp.float32, jnp.float32, (), ())


@pytest.mark.slow
def test_a_tiny_model_learns_a_batch_by_heart() -> None:
    """Computes what a training step does: from parameters to outputs, sums and counts, a scalar, gradients."""
    config = ModelConfig(num_layers=1, hidden_size=32, num_heads=2, mlp_size=64, max_positions=8, dtype="float32")
    model = VideoBert(config, TOKENS)
    optimizer = optax.adam(1e-2)

    def loss(params: Any) -> tuple[jax.Array, Metrics]:
        metrics = OBJECTIVE(model.apply({"params": params}, BATCH), BATCH)
        return total(metrics, OBJECTIVE.weights), metrics

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), (value, metrics)

    @jax.jit
    def train(key: jax.Array) -> tuple[jax.Array, Metrics]:
        params = model.init(key, BATCH)["params"]
        return jax.lax.scan(step, (params, optimizer.init(params)), length=60)[1]

    losses, metrics = train(jax.random.key(1))
    # Untrained, each modality guesses among the 20 ids, and alignment between two.
    assert losses[0] == pytest.approx(2 * np.log(20) + np.log(2), abs=0.5)
    assert losses[-1] < 0.1
    for name in ("text", "video", "alignment"):
        right, count = metrics[f"accuracy/{name}"]
        assert right[-1] == count[-1] > 0, name


def test_the_gradient_of_a_picked_logit_is_that_of_reading_it(outputs: Outputs) -> None:
    def slope(read: Any) -> jax.Array:
        return jax.grad(lambda logits: jnp.sum(jnp.sin(read(logits, BATCH["prediction_targets"]))))(outputs.predictions)

    plain = slope(lambda logits, targets: jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0])
    np.testing.assert_array_equal(slope(masked_prediction.picked), plain)
    assert jnp.count_nonzero(plain) == BATCH["prediction_targets"].size
