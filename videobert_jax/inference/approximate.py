"""Search with faiss, which the extra ``[index]`` installs (Douze et al. 2024)."""

import types
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from videobert_jax.errors import MissingModuleError

NEIGHBOURS = 32  # of a vector in the graph
BUILD_WIDTH, SEARCH_WIDTH = 80, 128  # candidates that are kept while the graph is built, and at least while searched
SMALL = 0.1  # share of the vectors: a filter that leaves less is searched exactly, since the graph falls apart


class Engine(Protocol):
    """Finds candidates."""

    def __call__(self, queries: np.ndarray, top: int, allowed: np.ndarray) -> Iterator[np.ndarray]:
        """For each query the places of at least `top` candidates, in any order; `allowed` bool [n] has as many."""
        ...

    def as_bytes(self) -> bytes:
        """What it was made with, to be kept."""
        ...


def engine_of(name: str, vectors: np.ndarray, rounding: float, kept: bytes = b"") -> Engine:
    """The engine "faiss" or "hnsw" over unit vectors float32 [n, D]. Raises MissingModuleError without faiss.

    `kept` is what an earlier engine returned as bytes, of the same vectors.
    """
    faiss = require_faiss(name)
    flat = Flat(faiss, vectors, rounding)
    return Graph(faiss, vectors, flat, kept) if name == "hnsw" else flat


def require_faiss(name: str) -> types.ModuleType:
    """The module that the engine of this name needs. Raises MissingModuleError without it."""
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingModuleError(
            f"the engine {name!r} needs faiss, which is not installed: pip install 'videobert_jax[index]', or leave "
            "out --engine: the exact search needs nothing"
        ) from error
    return faiss


class Flat:
    """Compares all vectors."""

    def __init__(self, faiss: types.ModuleType, vectors: np.ndarray, rounding: float) -> None:
        self._faiss, self._rounding = faiss, rounding
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors))

    def __call__(self, queries: np.ndarray, top: int, allowed: np.ndarray) -> Iterator[np.ndarray]:
        """Yields all that score at least as high as the last of the first `top`, but for rounding.

        faiss itself returns, of those that are equal to the last, the ones with the highest places.
        """
        selected = self._faiss.SearchParameters(sel=selector(self._faiss, allowed))
        for query in queries:
            scores, _ = self._index.search(query[None], top, params=selected)
            _, _, places = self._index.range_search(query[None], float(scores[0, -1]) - self._rounding, params=selected)
            yield places

    def as_bytes(self) -> bytes:
        """Nothing: it is the vectors."""
        return b""


class Graph:
    """Walks a graph of near vectors (HNSW, Malkov and Yashunin 2018): fast, and may miss some."""

    def __init__(self, faiss: types.ModuleType, vectors: np.ndarray, flat: Flat, kept: bytes) -> None:
        self._faiss, self._flat = faiss, flat
        if kept:
            self._index: Any = faiss.deserialize_index(np.frombuffer(kept, np.uint8))
        else:
            self._index = faiss.IndexHNSWFlat(vectors.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction = BUILD_WIDTH
            self._index.add(np.ascontiguousarray(vectors))

    def __call__(self, queries: np.ndarray, top: int, allowed: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the `top` that it finds; where it finds fewer, or few are allowed, all are compared."""
        if allowed.mean() < SMALL:
            yield from self._flat(queries, top, allowed)
            return
        selected = self._faiss.SearchParametersHNSW(
            sel=selector(self._faiss, allowed), efSearch=max(SEARCH_WIDTH, 2 * top)
        )
        for query in queries:
            _, places = self._index.search(query[None], top, params=selected)
            yield places[0] if (places[0] >= 0).all() else next(self._flat(query[None], top, allowed))

    def as_bytes(self) -> bytes:
        """The graph."""
        return self._faiss.serialize_index(self._index).tobytes()


def selector(faiss: types.ModuleType, allowed: np.ndarray) -> Any:
    """The places where bool [n] is true, as faiss takes them; None: all."""
    return None if allowed.all() else faiss.IDSelectorBatch(np.flatnonzero(allowed))
