"""The visual vocabulary: its projection, its factors and its file."""

import dataclasses
import hashlib

import numpy as np
import pytest

from videobert_jax.visual_words import vocabulary as vocabularies
from videobert_jax.visual_words.vocabulary import Part, Vocabulary, fit, fit_projection


def blobs(clusters: int, each: int, width: int = 16, spread: float = 0.05, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, width)) * 3
    noise = spread * rng.standard_normal((clusters * each, width))
    return (np.repeat(centres, each, axis=0) + noise).astype(np.float32)


def composed(motions: np.ndarray, things: np.ndarray) -> np.ndarray:
    """Features [n, 12 + 16] of clips in which things 0 to 8 move in ways 0 to 2."""
    return np.concatenate([blobs(3, 1, width=12, seed=5)[motions], blobs(9, 1, seed=6)[things]], axis=1)


FACTORS = ((Part(12, 8),), (Part(10, 8), Part(6, 6)))


def test_a_new_combination_gets_a_word_that_is_right_in_both_factors() -> None:
    motions, things = np.divmod(np.arange(27), 9)
    features = composed(motions, things)
    tree = fit(np.repeat(features[:-1], 2, axis=0), branching=9, depth=2, seed=0, factors=FACTORS)
    words = tree.assign(features)
    assert tree.size == 27
    assert sorted(words) == list(range(27))  # the last one too, although no clip showed it
    distances = np.linalg.norm(tree.projection(features)[:, None] - tree.centroids, axis=-1)
    assert distances.argmin(axis=1).tolist() == words.tolist()
    assert len(set(words[motions == 2] // 9)) == 1  # words of one motion are adjacent
    assert all(len(set(words[things == thing] % 9)) == 1 for thing in range(9))


def test_what_comes_with_a_motion_is_no_news_about_the_thing() -> None:
    motions, things = np.divmod(np.arange(27), 9)
    features = composed(motions, things)
    features[:, 12:] += 40 * blobs(3, 1, seed=7)[motions]  # far more than things differ
    tree = fit(features, branching=9, depth=2, seed=0, factors=FACTORS)
    words = tree.assign(features)
    assert all(len(set(words[things == thing] % 9)) == 1 for thing in range(9))
    np.testing.assert_allclose(tree.centroids[words], tree.projection(features), atol=1e-4)


def test_factors_share_the_levels() -> None:
    features = np.concatenate([blobs(30, 2, width=12, spread=1.0), blobs(60, 1, seed=1, spread=1.0)], axis=1)
    assert [tree.size for tree in fit(features, 2, 4, 0, FACTORS).trees] == [2, 8]
    assert [tree.size for tree in fit(features, 2, 2, 0, FACTORS).trees] == [2, 2]
    assert [tree.size for tree in fit(features, 2, 1, 0, FACTORS).trees] == [2]
    assert [tree.nodes.shape[1] for tree in fit(features, 2, 1, 0, FACTORS).trees] == [8 + 8 + 6]
    assert [tree.size for tree in fit(features, 2, 3, 0).trees] == [8]


def test_same_seed_is_bitwise_the_same_and_another_seed_is_not() -> None:
    features = blobs(30, 10, spread=2.0)
    first, again, other = (fit(features, 4, 3, seed, [[Part(8, 4)], [Part(8, 4)]]) for seed in (0, 0, 1))
    assert first.centroids.tobytes() == again.centroids.tobytes()
    assert first.assign(features).tobytes() == again.assign(features).tobytes()
    assert first.centroids.tobytes() != other.centroids.tobytes()


@pytest.mark.parametrize(("branching", "depth", "digest"), [(4, 4, "a31d75c909f365aa"), (12, 2, "11bfe348ca6753012")])
def test_a_small_corpus_keeps_its_words(branching: int, depth: int, digest: str) -> None:
    """Sums of small integers are exact in any order, so the tree is bitwise the same on every machine."""
    rng = np.random.default_rng(0)
    half = np.repeat(rng.integers(-60, 60, (40, 24)), 8, axis=0) + rng.integers(-9, 10, (320, 24))
    half[:24] = half[0]
    (tree,) = fit(np.concatenate([half, -half]).astype(np.float32), branching, depth, seed=0).trees
    content = hashlib.sha256()
    for field in dataclasses.fields(tree):
        array = getattr(tree, field.name)
        content.update(f"{field.name} {array.dtype} {array.shape}".encode() + array.tobytes())
    assert content.hexdigest().startswith(digest)


def test_words_do_not_depend_on_how_many_clips_are_assigned_at_once(monkeypatch) -> None:
    features = blobs(30, 10, spread=2.0)
    vocabulary = fit(features, 4, 3, 0, [[Part(8, 4)], [Part(8, 4)]])
    words = vocabulary.assign(features)
    for rows in (1, 7, 300):
        monkeypatch.setattr(vocabularies, "ASSIGN_ROWS", rows)
        np.testing.assert_array_equal(vocabulary.assign(features), words)


def test_projection_whitens_each_part_and_gives_it_its_weight() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((500, 12)) @ np.diag(np.geomspace(100, 0.1, 12)) + 7
    projection = fit_projection(features.astype(np.float32), (Part(8, 5, weight=2.0), Part(4, 4, weight=0.5)))
    points = projection(features.astype(np.float32))
    covariance = np.cov(points.T, bias=True)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(covariance[:5, :5], np.eye(5) * 4 / 5, atol=1e-3)
    np.testing.assert_allclose(covariance[5:, 5:], np.eye(4) * 0.25 / 4, atol=1e-3)


def test_projection_without_whitening_keeps_the_ratios_of_variances() -> None:
    features = np.random.default_rng(0).standard_normal((800, 3)).astype(np.float32) * np.float32([1, 4, 2])
    variances = fit_projection(features, (Part(3, 3, whitening=0.0),))(features).var(axis=0)
    assert variances.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(variances / variances[0], [1, 1 / 4, 1 / 16], rtol=0.15)


def test_projection_leaves_out_directions_without_variance() -> None:
    features = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    features[:, 3:] = features[:, :3]
    assert fit_projection(features, (Part(6, 6),)).blocks[0].shape == (6, 3)


def test_saved_vocabulary_loads_bitwise(tmp_path) -> None:
    features = composed(np.arange(18) % 3, np.arange(18) % 9)
    tree = fit(features, 3, 3, seed=0, factors=FACTORS)
    tree.save(tmp_path / "tree.npz")
    tree.save(tmp_path / "again.npz")
    loaded = Vocabulary.load(tmp_path / "tree.npz")
    assert loaded.size == tree.size
    assert loaded.centroids.tobytes() == tree.centroids.tobytes()
    assert loaded.assign(features).tobytes() == tree.assign(features).tobytes()
    assert (tmp_path / "tree.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_another_version_is_an_error_that_names_the_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vocabularies, "VERSION", 99)
    fit(blobs(2, 2), 2, 1, seed=0).save(tmp_path / "tree.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"tree\.npz is damaged .*vocabulary version 99.*; remove "):
        Vocabulary.load(tmp_path / "tree.npz")
    np.savez(tmp_path / "other.npz", anything=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz is damaged .*vocabulary version None"):
        Vocabulary.load(tmp_path / "other.npz")


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_vocabulary_is_an_error_that_names_the_file(tmp_path, share) -> None:
    path = tmp_path / "tree.npz"
    fit(blobs(2, 2), 2, 1, seed=0).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=r"tree\.npz is damaged .*; remove .* and run the same command again"):
        Vocabulary.load(path)


def test_bad_features_are_errors() -> None:
    features = blobs(2, 3)
    tree = fit(features, 2, 1, seed=0)
    features[4, 2] = np.nan
    with pytest.raises(ValueError, match="clip 4 has a NaN"):
        fit(features, 2, 1, seed=0)
    with pytest.raises(ValueError, match=r"clip 4 has a NaN, .* \(1 of 6 clips do\)"):
        tree.assign(features)
    features[:, 2] = -1e16  # finite, but its square is more than float32 holds
    with pytest.raises(ValueError, match=r"clip 0 .* huge .*\(6 of 6 clips do\); expected numbers below 1e\+15"):
        fit(features, 2, 1, seed=0)
    features[:, 2] = 0
    with pytest.raises(ValueError, match=r"shape \(6, 15\)"):
        tree.assign(features[:, :15])
    with pytest.raises(ValueError, match="add up"):
        fit_projection(features, (Part(5, 2),))
    with pytest.raises(ValueError, match="at least one clip"):
        fit(features[:0], 2, 1, seed=0)


@pytest.mark.filterwarnings("error")
def test_half_precision_is_taken_for_what_it_says() -> None:
    features = blobs(6, 5, spread=1.0).astype(np.float16)
    features[3, 3] = 65_504  # its largest number, whose square it does not hold
    half, single = (fit(features.astype(kind), 3, 2, 0, [[Part(16, 9)]]) for kind in (np.float16, np.float32))
    assert half.centroids.tobytes() == single.centroids.tobytes()
    assert half.assign(features).tobytes() == single.assign(features.astype(np.float32)).tobytes()


def test_more_words_than_a_model_can_have_are_an_error_that_says_what_to_do(monkeypatch) -> None:
    features = np.concatenate([blobs(30, 2, width=12, spread=1.0), blobs(60, 1, seed=1, spread=1.0)], axis=1)
    monkeypatch.setattr(vocabularies, "MOST_WORDS", 16)
    assert fit(features, 4, 2, 0, FACTORS).size == 16
    with pytest.raises(
        ValueError, match=r"4 x 16 are 64 visual words, expected at most 16; lower .*branching or .*depth"
    ):
        fit(features, 4, 3, 0, FACTORS)
