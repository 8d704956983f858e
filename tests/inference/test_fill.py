import jax
import numpy as np
import pytest

from videobert_jax.config import ModelConfig
from videobert_jax.data.packing import pad_rows, rows_of_sequences
from videobert_jax.data.sequences import encode_joint, encode_text
from videobert_jax.inference.fill import fill, vocabulary
from videobert_jax.model.videobert import VideoBert
from videobert_jax.tokens import TokenSpace

TOKENS = TokenSpace(text_size=20, visual_size=10, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5, unused=(6,))
MODEL = VideoBert(
    ModelConfig(num_layers=1, hidden_size=16, num_heads=2, mlp_size=32, max_positions=16, dropout=0.1, dtype="float32"),
    TOKENS,
)
WORDS = np.array([7, TOKENS.mask, 8, TOKENS.mask], np.int32)
SEQUENCES = [encode_joint(WORDS, np.array([3, 4, 5], np.int32), TOKENS), encode_text(WORDS, TOKENS)]
BATCH = pad_rows(rows_of_sequences(SEQUENCES, 16, 3, TOKENS), 4, TOKENS)
# Scaled up, so that no two ids are about as likely.
PARAMS = jax.tree.map(lambda x: 10 * x, jax.jit(MODEL.init)(jax.random.key(0), BATCH)["params"])

TEXT, VIDEO = set(range(7, 20)), set(range(20, 30))


@pytest.mark.parametrize(("modality", "ids"), [("text", TEXT), ("video", VIDEO), ("any", TEXT | VIDEO)])
def test_vocabulary_has_no_special_and_no_padding_id(modality: str, ids: set[int]) -> None:
    allowed = vocabulary(TOKENS, modality)
    assert allowed.shape == (TOKENS.padded_size,)
    assert set(allowed.nonzero()[0].tolist()) == ids


@pytest.mark.parametrize("modality", ["text", "video", "any"])
def test_gives_the_likeliest_of_what_is_allowed(modality: str) -> None:
    """By the model's own logits, sorted by NumPy."""
    allowed = vocabulary(TOKENS, modality)
    ids = allowed.nonzero()[0]
    fillings = fill(MODEL, PARAMS, BATCH, allowed, top=4)
    logits = np.asarray(jax.jit(MODEL.apply)({"params": PARAMS}, BATCH).predictions, np.float64)[..., ids]
    assert fillings.ids.shape == fillings.probabilities.shape == (4, 3, 4)
    for place in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        order = np.argsort(-logits[place])[:4]
        likelihood = np.exp(logits[place]) / np.exp(logits[place]).sum()
        np.testing.assert_array_equal(fillings.ids[place], ids[order])
        np.testing.assert_allclose(fillings.probabilities[place], likelihood[order], rtol=1e-4)


def test_what_is_allowed_sums_to_one() -> None:
    fillings = fill(MODEL, PARAMS, BATCH, vocabulary(TOKENS, "video"), top=12)
    np.testing.assert_allclose(fillings.probabilities.sum(axis=-1), 1, rtol=1e-5)
    assert set(fillings.ids[0, 0, :10].tolist()) == VIDEO
    assert not fillings.probabilities[..., 10:].any()


def test_video_matters() -> None:
    """Another clip, another answer; the row without video keeps its own."""
    other = {name: values.copy() for name, values in BATCH.items()}
    other["token_ids"][0, 6] += 1
    before, after = (fill(MODEL, PARAMS, batch, vocabulary(TOKENS, "text")).probabilities for batch in (BATCH, other))
    assert not np.allclose(before[0], after[0], rtol=1e-3)
    np.testing.assert_array_equal(before[1], after[1])


def test_one_program_for_every_vocabulary() -> None:
    fill(MODEL, PARAMS, BATCH, vocabulary(TOKENS, "text"), top=2)
    programs = fill._cache_size()
    fill(VideoBert(MODEL.config, TOKENS), PARAMS, BATCH, vocabulary(TOKENS, "video"), top=2)
    assert fill._cache_size() == programs
