"""Ways in which words and clips meet."""

import jax
import numpy as np
import pytest
import tiny_model
from tiny_model import TOKENS, batch_of, joint, make, read, text, video

from videobert_jax.data.batch import Batch
from videobert_jax.model.fusion import JOINS


def rows() -> Batch:
    return batch_of([joint(1), text(2)], [video(3), joint(4)])


def hidden(fusion: str, params: object, batch: Batch) -> np.ndarray:
    return np.asarray(read(make(fusion=fusion), params, batch).hidden)


def changed(batch: Batch, segment: int, sequence: int = 1) -> tuple[Batch, np.ndarray]:
    """Other tokens in one modality of a sequence of the first row, and bool [B, S] where they are."""
    where = (batch["sequence_ids"] == sequence) & (batch["segment_types"] == segment)
    where &= ~np.isin(batch["token_ids"], TOKENS.specials) & (np.arange(2) == 0)[:, None]
    return {**batch, "token_ids": batch["token_ids"] + where}, where


@pytest.mark.parametrize("fusion", JOINS)
@pytest.mark.parametrize("segment", [0, 1])
def test_both_modalities_of_a_sequence_see_a_change_in_one_and_no_other_sequence_does(fusion, segment) -> None:
    batch, params = rows(), tiny_model.random_params(fusion=fusion)
    other, _ = changed(batch, segment)
    differs = np.any(hidden(fusion, params, batch) != hidden(fusion, params, other), axis=2)
    own = (batch["sequence_ids"] == 1) & (np.arange(2) == 0)[:, None]
    assert differs[own].all()
    assert not differs[~own].any()


def test_encoders_see_their_own_modality_alone() -> None:
    """Without the join, a change of the clips does not reach the words: parameters of the other encoder are unused."""
    batch, params = rows(), tiny_model.random_params(fusion="late")
    plain = hidden("late", params, batch)
    silent = {**params, "video_encoder": jax.tree.map(np.zeros_like, params["video_encoder"])}
    differs = np.any(hidden("late", silent, batch) != plain, axis=2)
    only_text = (batch["sequence_ids"] == 2) & (np.arange(2) == 0)[:, None]
    assert not differs[only_text].any()
    assert differs[(batch["sequence_ids"] == 1)].all()


@pytest.mark.parametrize("fusion", JOINS)
def test_a_sequence_without_the_other_modality_is_finite(fusion: str) -> None:
    batch = batch_of([text(2)], [video(3)])
    assert np.isfinite(hidden(fusion, tiny_model.random_params(fusion=fusion), batch)).all()
