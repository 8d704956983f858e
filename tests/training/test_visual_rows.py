import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.config import ModelConfig, OptimizerConfig
from videobert_jax.data.prepared import Lexicon
from videobert_jax.tasks.task import Frozen
from videobert_jax.training.initial_params import load_visual_rows, project
from videobert_jax.training.optimizer import make_optimizer
from videobert_jax.training.state import TrainState, initializer
from videobert_jax.visual_words import details, vocabulary

TEXT, VISUAL, PADDED = 5, 8, 16
ROWS = range(TEXT, TEXT + VISUAL)
FROZEN = [Frozen("token_embedding/embedding", ROWS)]
TABLES = ("token_embedding", "position_embedding")


def make_state() -> TrainState:
    def params(key: jax.Array) -> dict:
        return {name: {"embedding": jax.random.normal(key, (PADDED, 4))} for name in TABLES}

    return initializer(params, make_optimizer(OptimizerConfig(), 10, FROZEN).transformation, seed=0)()


def test_projection_keeps_what_is_near_near() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(4, 300))
    centroids = np.repeat(places, 5, axis=0) + rng.normal(size=(20, 300)) * 0.1
    rows = project(centroids, size=64, deviation=0.02, seed=1)
    assert rows.dtype == np.float32
    assert rows.std() == pytest.approx(0.02, rel=1e-5)
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 5).tolist() == [row // 5 for row in range(20)]
    np.testing.assert_array_equal(rows, project(centroids, 64, 0.02, seed=1))
    assert not np.array_equal(rows, project(centroids, 64, 0.02, seed=2))


def test_a_wide_enough_model_keeps_every_distance() -> None:
    """The directions in which centroids differ least are what tells rare things apart."""
    scales = np.geomspace(1, 1e-2, 24)
    centroids = np.random.default_rng(0).normal(size=(40, 24)) * scales
    rows = project(centroids, size=24, deviation=0.09, seed=0)
    distances = np.linalg.norm(centroids[:, None] - centroids[None], axis=-1)
    ratio = np.linalg.norm(rows[:, None] - rows[None], axis=-1) / np.where(distances, distances, 1)
    np.testing.assert_allclose(ratio[distances > 0], ratio[0, 1], rtol=1e-4)


def test_rows_stand_out_from_other_embeddings(tmp_path) -> None:
    features = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    lexicon, words = Lexicon(tmp_path), vocabulary.fit(features, branching=2, depth=3, seed=0)
    lexicon.vocabulary.mkdir()
    words.save(lexicon.tree)
    config = ModelConfig(hidden_size=16, visual_scale=3.0)
    rows = load_visual_rows(config, lexicon, seed=0, deviation=0.05)
    assert rows.shape == (8, 16)
    assert rows.std() == pytest.approx(3 * 0.05, rel=1e-5)
    assert load_visual_rows(dataclasses.replace(config, visual_rows="random"), lexicon, 0, 0.05) is None
    kept = details.fit([features], words, 6, 0, 2, "residual", seed=0)
    kept.save(lexicon.details)
    expected = project(kept.centroids, 16, 3 * 0.05, seed=0)
    np.testing.assert_array_equal(load_visual_rows(config, lexicon, seed=0, deviation=0.05), expected)


def test_frozen_rows_do_not_move() -> None:
    """Neither by their gradient, nor by weight decay, nor do they count in the norm that the others are clipped by."""
    params = make_state().params
    grads = jax.tree.map(jnp.ones_like, params)
    huge = grads["token_embedding"]["embedding"].at[ROWS.start : ROWS.stop].set(1e6)
    updates = []
    for embedding in (grads["token_embedding"]["embedding"], huge):
        optimizer = make_optimizer(OptimizerConfig(learning_rate=0.1, weight_decay=0.5), 10, FROZEN).transformation
        given = {**grads, "token_embedding": {"embedding": embedding}}
        updates.append(optimizer.update(given, optimizer.init(params), params)[0])
    moved = np.any(np.array(updates[0]["token_embedding"]["embedding"]) != 0, axis=1)
    assert np.flatnonzero(~moved).tolist() == list(ROWS)
    assert np.all(updates[0]["position_embedding"]["embedding"] != 0)
    jax.tree.map(np.testing.assert_array_equal, *updates)


def test_what_is_frozen_as_a_whole_neither_moves_nor_has_moments() -> None:
    params = {"trunk": {"kernel": jnp.ones((3, 3))}, "head": {"kernel": jnp.ones((3, 3))}}
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.5, clip_norm=1.0)
    huge = {"trunk": {"kernel": jnp.full((3, 3), 1e6)}, "head": {"kernel": jnp.full((3, 3), 0.1)}}
    optimizer = make_optimizer(config, 10, [Frozen("trunk")]).transformation
    state = optimizer.init(params)
    updates, _ = optimizer.update(huge, state, params)
    assert not updates["trunk"]["kernel"].any()
    alone = make_optimizer(config, 10).transformation
    expected, _ = alone.update({"head": huge["head"]}, alone.init({"head": params["head"]}), {"head": params["head"]})
    np.testing.assert_array_equal(updates["head"]["kernel"], expected["head"]["kernel"])
    assert sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim) == 2 * 9
