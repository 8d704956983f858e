"""Visual words that share their parent in the hierarchy."""

import numpy as np

from videobert_jax.visual_words.kmeans import Tree
from videobert_jax.visual_words.vocabulary import Part, Vocabulary, fit


def vocabulary(depth: int, factors: tuple[tuple[Part, ...], ...] = ()) -> Vocabulary:
    return fit(np.random.default_rng(0).normal(size=(4000, 8)).astype(np.float32), 3, depth, 0, factors)


def paths(found: Vocabulary) -> list[tuple[int, ...]]:
    """The way to each word: the leaf of every tree but the last, then the nodes of that one down to the leaf."""
    tree = found.trees[-1]
    ways = {0: (0,)}
    for node in range(len(tree.nodes)):
        for child in range(tree.first_child[node], tree.first_child[node] + tree.child_count[node]):
            ways[child] = (*ways[node], child)
    of_leaf = {int(tree.leaf_ids[node]): way for node, way in ways.items() if tree.child_count[node] == 0}
    return [(word // tree.size, *of_leaf[word % tree.size]) for word in range(found.size)]


def expected(found: Vocabulary, used: np.ndarray) -> list[set[int]]:
    ways = paths(found)
    return [
        {other for other, way in enumerate(ways) if other != word and way[:-1] == own[:-1] and used[other]}
        for word, own in enumerate(ways)
    ]


def test_neighbours_differ_in_the_last_level_alone() -> None:
    full = vocabulary(3)
    assert full.size == 27
    table = full.neighbours(np.ones(27, bool))
    assert table.tolist() == [
        [other for other in range(word // 3 * 3, word // 3 * 3 + 3) if other != word] + [-1] for word in range(27)
    ]


def test_neighbours_have_the_same_words_of_earlier_trees_and_are_in_use() -> None:
    factors = ((Part(4, 4),), (Part(4, 4),))
    found = vocabulary(3, factors)
    assert len(found.trees) == 2
    used = np.random.default_rng(1).random(found.size) < 0.6
    table = found.neighbours(used)
    assert [set(row[row >= 0].tolist()) for row in table] == expected(found, used)
    assert table.dtype == np.int32
    assert found.neighbours(np.zeros(found.size, bool)).shape == (found.size, 0)


def test_leaves_are_numbered_depth_first_and_nodes_breadth_first() -> None:
    count, first = np.array([2, 2, 0, 0, 0], np.int32), np.array([1, 3, 0, 0, 0], np.int32)
    tree = Tree(np.zeros((5, 1), np.float32), first, count, np.array([-1, -1, 2, 0, 1], np.int32))
    assert tree.parents.tolist() == [1, 1, 0]


def test_a_word_without_brothers_has_no_neighbours() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [50, 0], [50, 9]], np.float32)
    points = centres[rng.integers(3, size=300)]  # the first has no children to be split into
    found = fit(points, 2, 2, 0)
    assert found.size == 3
    used = np.ones(3, bool)
    table = found.neighbours(used)
    assert [set(row[row >= 0].tolist()) for row in table] == expected(found, used)
    assert sorted(len(one) for one in expected(found, used)) == [0, 1, 1]
    single = fit(np.zeros((5, 2), np.float32), 2, 2, 0)
    assert single.neighbours(np.ones(1, bool)).tolist() in ([[]], [[-1]])
