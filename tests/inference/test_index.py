"""What an index finds, how it is kept, and what filters let through."""

import dataclasses
import itertools
import pathlib
import sys

import numpy as np
import pytest

from videobert_jax.errors import DamagedError, MissingError, MissingModuleError, UserError
from videobert_jax.inference import filters
from videobert_jax.inference.index import FILE, Entry, Index
from videobert_jax.inference.recommend import Viewers, for_viewer, mean

WIDTH = 16


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def index_of(count: int = 300, different: int | None = None) -> Index:
    """Random vectors, of which only some are different: equal ones are far apart."""
    vectors = np.resize(unit(different or count, WIDTH), (count, WIDTH))
    feelings = ("good", "bad", "mixed")
    entries = [
        Entry(f"video{number // 2}", number % 2, number % 2 + 1, f"né {number}", tags(number, feelings[number % 3]))
        for number in range(count)
    ]
    return Index(vectors, tuple(entries), "a model")


def tags(number: int, feeling: str) -> dict[str, float | str]:
    return {"unsafe": (number % 10) / 10, "sentiment": feeling}


def brute_force(index: Index, query: np.ndarray, top: int, allowed: np.ndarray) -> list[int]:
    scores = [
        np.float32(np.dot(vector.astype(np.float64), query.astype(np.float64))) if passes else -np.inf
        for vector, passes in zip(index.vectors, allowed, strict=True)
    ]
    return sorted(np.flatnonzero(allowed).tolist(), key=lambda place: (-scores[place], place))[:top]


@pytest.mark.parametrize("engine", ["exact", "faiss"])
@pytest.mark.parametrize(("different", "top"), [(None, 1), (None, 7), (40, 7), (3, 50), (1, 20), (40, 1000)])
@pytest.mark.parametrize("where", ["", "sentiment=bad", "unsafe>=0.9,sentiment=good"])
def test_the_nearest_are_found_and_of_equal_ones_the_first(
    engine: str, different: int | None, top: int, where: str
) -> None:
    index, queries = index_of(different=different), unit(5, WIDTH, seed=1)
    allowed = index.where(where)
    found = index.search(queries, top, where, engine=engine)
    for query, some in zip(queries, found, strict=True):
        assert [one.place for one in some] == brute_force(index, query, top, allowed)
        assert all(one.entry is index.entries[one.place] for one in some)
        assert [one.score for one in some] == sorted((one.score for one in some), reverse=True)


def test_a_score_does_not_depend_on_the_other_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videobert_jax.inference.index.SCORES_AT_ONCE", 700)  # two queries at a time
    index, queries = index_of(), unit(33, WIDTH, seed=1)
    together = index.search(queries, 5)
    assert together == [index.search(query[None], 5)[0] for query in queries]
    assert together == index.search(queries, 5, engine="faiss")


def test_a_graph_finds_nearly_all_and_never_less_than_there_is() -> None:
    index, queries = index_of(2000), unit(20, WIDTH, seed=1)
    exact, walked = (index.search(queries, 10, "sentiment!=bad", engine=engine) for engine in ("exact", "hnsw"))
    shared = [len({one.place for one in a} & {one.place for one in b}) for a, b in zip(exact, walked, strict=True)]
    assert np.mean(shared) > 9.5
    rare = "unsafe=0.9,sentiment=good"  # fewer than a tenth
    assert index.search(queries, 10, rare, engine="hnsw") == index.search(queries, 10, rare)
    assert len(index.search(queries, 5000, engine="hnsw")[0]) == 2000
    for different in (3, 150):  # equal vectors tear a graph apart, and are in no order
        torn = index_of(300, different)
        assert torn.search(queries, 300, engine="hnsw") == torn.search(queries, 300)


def test_a_kept_graph_is_not_built_again(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, queries = index_of(500), unit(3, WIDTH, seed=1)
    index.with_graph().save(tmp_path)
    monkeypatch.setattr("faiss.IndexHNSWFlat", None)
    assert Index.load(tmp_path).search(queries, 5, engine="hnsw") == index.search(queries, 5)


def test_without_faiss_the_exact_search_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    index, queries = index_of(), unit(1, WIDTH, seed=1)
    assert len(index.search(queries, 3)[0]) == 3
    with pytest.raises(MissingModuleError, match=r"the engine 'faiss' needs faiss.*videobert_jax\[index\]"):
        index.search(queries, 3, engine="faiss")


def test_queries_that_make_no_sense_are_refused() -> None:
    index = index_of()
    with pytest.raises(UserError, match=r"shape \[2, 5\], expected \[m, 16\]"):
        index.search(unit(2, 5))
    with pytest.raises(UserError, match="top is 0, expected a number of entries, at least 1"):
        index.search(unit(2, WIDTH), 0)
    with pytest.raises(UserError, match="the engine is 'fais', expected one of exact, faiss, hnsw"):
        index.search(unit(2, WIDTH), engine="fais")


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((2, 3), np.float32), unit(3, 4), unit(2, 4).astype(np.float64), np.full((2, 3), np.nan, np.float32)],
)
def test_vectors_that_cannot_be_compared_are_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        Index(vectors, (Entry("a", 0, 1), Entry("b", 0, 1)))


def test_more_can_be_added_once() -> None:
    index, new = index_of(10), Entry("new", 0.0, 9.0)
    more = index.add(unit(1, WIDTH, seed=7), [new])
    assert more.search(unit(1, WIDTH, seed=7), 1)[0][0].entry == new
    assert (len(index.entries), len(more.entries), more.made_by) == (10, 11, index.made_by)
    with pytest.raises(UserError, match="the index has 'new', 0 to 9 s; add it once"):
        more.add(unit(1, WIDTH), [new])


def test_what_is_saved_is_loaded(tmp_path: pathlib.Path) -> None:
    index = index_of()
    index.save(tmp_path / "a" / "b")
    again = Index.load(tmp_path / "a" / "b")
    assert again.entries == index.entries
    assert again.made_by == "a model"
    np.testing.assert_array_equal(again.vectors, index.vectors)


class Killed(BaseException):
    """The process ends."""


def test_an_index_is_replaced_whole_or_not_at_all(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = index_of(10), index_of(20)
    old.save(tmp_path)
    for name in ("replace", "write_bytes"):

        def die(path: pathlib.Path, *args: object) -> None:
            path.touch()
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(pathlib.Path, name, die)
            new.save(tmp_path)
        assert Index.load(tmp_path).entries == old.entries
    new.save(tmp_path)
    assert Index.load(tmp_path).entries == new.entries
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_damage_is_found_wherever_it_is(tmp_path: pathlib.Path) -> None:
    """A changed byte is found, or it is none of the index's contents."""
    index = index_of(4)
    index.save(tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    found = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            same = Index.load(tmp_path)
        except DamagedError as error:
            assert "build it again" in str(error)
            found += 1
        else:
            assert same.entries == index.entries
            np.testing.assert_array_equal(same.vectors, index.vectors)
    assert found > len(whole) / 7 / 2
    for length in range(0, len(whole), 101):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            Index.load(tmp_path)


def test_what_is_no_index_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(MissingError, match=r"holds no index: it has no index.npz; build it again"):
        Index.load(tmp_path)
    np.savez(tmp_path / FILE, weights=np.zeros(3))
    with pytest.raises(DamagedError, match="build it again"):
        Index.load(tmp_path)


TAGS = [{"unsafe": 0.1, "mood": "good"}, {"unsafe": 0.5, "mood": "so so"}, {"unsafe": 0.9}, {}]


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("", [0, 1, 2, 3]),
        ("unsafe<0.5", [0]),
        (" unsafe <= 0.5 ", [0, 1]),
        ("unsafe>5e-1", [2]),
        ("unsafe>=.5", [1, 2]),
        ("unsafe=0.5", [1]),
        ("unsafe!=0.5", [0, 2]),
        ("mood=so so", [1]),
        ("mood!=good", [1]),
        ("unsafe<0.9,mood=good", [0]),
        ("unsafe<0.5,mood=so so", []),
    ],
)
def test_a_filter_joins_conditions(text: str, passing: list[int]) -> None:
    assert np.flatnonzero(filters.passing(text, TAGS)).tolist() == passing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mod=good", "the filter has 'mod=good', whose tag 'mod' no entry of the index has; its tags are mood, unsafe"),
        ("unsafe", "the filter has 'unsafe', expected a name, one of <= >= != < > = and a value, such as unsafe<0.3"),
        ("unsafe<", "the filter has 'unsafe<', expected a name"),
        ("unsafe==0.3", "the filter has 'unsafe==0.3', expected a name"),
        ("unsafe=<0.3", "the filter has 'unsafe=<0.3', expected a name"),
        ("unsafe<low", "the filter has 'unsafe<low', expected a number: 'unsafe' is one, such as 0.1"),
        ("unsafe<nan", "the filter has 'unsafe<nan', expected a number"),
        ("mood<good", "the filter has 'mood<good', expected = or !=: 'mood' is a name, such as 'good'"),
        ("mood=god", "the filter has 'mood=god', but 'mood' is one of good, so so"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        filters.passing(text, TAGS)
    assert str(caught.value).startswith(message)


def test_a_filter_needs_tags() -> None:
    with pytest.raises(UserError, match="the index has no tags: build it again with --tags"):
        filters.passing("unsafe<0.3", [{}, {}])


@pytest.mark.parametrize("engine", ["exact", "faiss", "hnsw"])
def test_what_was_watched_is_never_recommended(engine: str) -> None:
    index = index_of(60)  # two windows of each video
    names = sorted({one.video_id for one in index.entries})
    for seed, count in itertools.product(range(3), (1, 10, 29, 30)):
        watched = np.random.default_rng(seed).permutation(names)[:count].tolist()
        viewer = mean([index.vectors[place] for place, one in enumerate(index.entries) if one.video_id in watched])
        found = for_viewer(index, viewer, watched, 60, engine=engine)
        assert {one.entry.video_id for one in found} == set(names) - set(watched)
        bad = for_viewer(index, viewer, watched, 60, "sentiment=bad", engine)
        assert bad == [one for one in found if one.entry.tags["sentiment"] == "bad"]


def test_viewers_for_a_video_are_those_near_it_who_have_not_watched_it() -> None:
    vectors = dict(zip("abcd", unit(4, WIDTH), strict=True))
    viewers = Viewers.of({"u1": ["a"], "u2": ["a", "b"], "u3": ["c"], "u4": ["c"]}, vectors)
    assert [one.name for one in viewers.for_video(vectors["a"], "a")][-2:] != ["u1", "u2"]
    assert {one.name for one in viewers.for_video(vectors["a"], "a")} == {"u3", "u4"}
    new = viewers.for_video(vectors["c"], "like c")  # nobody has watched it
    assert [one.name for one in new][:2] == ["u3", "u4"]
    assert new[0].score == pytest.approx(1.0, abs=1e-5)
    expected = (vectors["a"] + vectors["b"]) / np.linalg.norm(vectors["a"] + vectors["b"])
    np.testing.assert_allclose(viewers.vectors[1], expected, atol=1e-6)
    assert len(viewers.for_video(vectors["d"], top=2)) == 2


def test_a_viewer_without_history_is_refused() -> None:
    with pytest.raises(UserError, match="viewer 'u2' has watched nothing that is known"):
        Viewers.of({"u1": ["a"], "u2": []}, {"a": unit(WIDTH)})


def test_entries_have_no_shared_tags() -> None:
    assert Entry("a", 0, 1).tags is not Entry("b", 0, 1).tags
    assert dataclasses.asdict(Entry("a", 0, 1))["tags"] == {}
