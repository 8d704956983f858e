"""An index of videos, or of windows of them: a vector and an entry each, saved as one file, searched exactly."""

import dataclasses
import functools
import hashlib
import io
import json
import pathlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from videobert_jax.config import RecommendationConfig, RetrievalConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TEST, Prepared
from videobert_jax.data.records import Record
from videobert_jax.data.segments import Segment
from videobert_jax.errors import DamagedError, MissingError, UserError
from videobert_jax.files import whole
from videobert_jax.inference import filters, vectors
from videobert_jax.inference.approximate import Engine, engine_of

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has some of these functions as methods

FILE = "index.npz"
VERSION = 1
AGAIN = "build it again, with launch/search.py --build"
ROUNDING = 1e-5  # more than a product of two unit vectors in float32 is wrong by
SCORES_AT_ONCE = 1 << 24
ENGINES = ("exact", "faiss", "hnsw")


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a vector stands for.

    Attributes:
      video_id: the video's name.
      start, end: seconds of the video.
      text: for people: a caption, or what is said; perhaps "".
      tags: to filter by, such as {"unsafe": 0.02, "sentiment": "good"}.
    """

    video_id: str
    start: float
    end: float
    text: str = ""
    tags: filters.Tags = dataclasses.field(default_factory=dict)


class Found(NamedTuple):
    """An entry, its place in the index, and its score: the cosine similarity with the query."""

    entry: Entry
    score: float
    place: int


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Vectors and their entries; `add` returns another index.

    Attributes:
      vectors: float32 [n, D], of unit length.
      entries: n.
      made_by: `fingerprint` of the model whose vectors they are; "": they are not a model's.
      graph: a faiss HNSW graph of the vectors, as bytes, to be saved with them; b"" if there is none.
    """

    vectors: np.ndarray
    entries: tuple[Entry, ...]
    made_by: str = ""
    graph: bytes = b""

    def __post_init__(self) -> None:
        vectors = self.vectors
        if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != len(self.entries):
            raise ValueError(
                f"the vectors are {vectors.dtype} {list(vectors.shape)} for {len(self.entries)} entries, expected "
                f"float32 [{len(self.entries)}, D]"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        if not (np.abs(lengths - 1) < 1e-3).all():
            raise ValueError(f"a vector has the length {lengths[np.argmax(np.abs(lengths - 1))]:.4g}, expected 1")

    @classmethod
    def of(
        cls,
        model: "Model",
        prepared: Prepared,
        splits: Sequence[str] = (TEST,),
        window: float = 0.0,
        tags: Callable[[Sequence[Segment]], Sequence[filters.Tags]] | None = None,
    ) -> "Index":
        """The index of all videos of some splits.

        Args:
          model: trained for retrieval or recommendation.
          prepared: with the model's visual words; see `require_same_ids`.
          splits: of `prepared`.
          window: seconds of the windows that videos are cut into; 0: each video is one entry.
          tags: n segments -> the tags of each; see `inference.tags`.

        Raises UserError for another kind of model or other visual words, and for a split that does not exist.
        """
        inputs = inputs_of(model)
        require_same_ids(model, prepared)
        if unknown := [split for split in splits if split not in prepared.splits]:
            raise UserError(
                f"{prepared.folder} has no split {unknown[0]!r}, expected some of {', '.join(prepared.splits)}"
            )
        found = [one for split in splits for one in cut(prepared.source(split), window)]
        if not found:
            raise UserError(f"{prepared.folder} has no video in the splits {', '.join(splits)}; name others")
        segments = [segment for segment, _ in found]
        known = [{} for _ in found] if tags is None else tags(segments)
        entries = tuple(
            Entry(one.video_id, start, end, one.caption or model.words.decode(one.spoken), dict(each))
            for (one, (start, end)), each in zip(found, known, strict=True)
        )
        return cls(vectors.of_segments(model, segments, inputs), entries, fingerprint(model))

    def add(self, added: np.ndarray, entries: Sequence[Entry]) -> "Index":
        """The index with more vectors, float32 [m, D], behind the others. Raises UserError for an entry it has."""
        spans = {(one.video_id, one.start, one.end) for one in self.entries}
        for one in entries:
            if (one.video_id, one.start, one.end) in spans:
                raise UserError(f"the index has {one.video_id!r}, {one.start:g} to {one.end:g} s; add it once")
        return Index(np.concatenate([self.vectors, added]), (*self.entries, *entries), self.made_by)

    def save(self, folder: pathlib.Path) -> None:
        """Writes the index, whole or not at all, in place of one that is there."""
        contents = {
            "version": VERSION,
            "made_by": self.made_by,
            "entries": [dataclasses.asdict(one) for one in self.entries],
        }
        text = np.frombuffer(json.dumps(contents, ensure_ascii=False).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, vectors=self.vectors, contents=text, graph=np.frombuffer(self.graph, np.uint8))
        with whole(folder / FILE) as part:
            part.write_bytes(buffer.getbuffer())

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Index":
        """Reads what `save` wrote. Raises MissingError if there is no index, DamagedError for one that is broken."""
        path = folder / FILE
        if not path.is_file():
            raise MissingError(f"{folder} holds no index: it has no {FILE}; {AGAIN}, or name another with --index")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                contents = json.loads(arrays["contents"].tobytes())
                if contents["version"] != VERSION:
                    raise ValueError(f"its version is {contents['version']!r}, expected {VERSION}")
                entries = tuple(Entry(**one) for one in contents["entries"])
                return cls(arrays["vectors"], entries, contents["made_by"], arrays["graph"].tobytes())
        except (OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
            raise DamagedError(f"{path} is damaged ({type(error).__name__}: {error}); {AGAIN}") from error

    def require_model(self, model: "Model") -> None:
        """Raises UserError if the vectors are not this model's, so that its queries mean nothing to them."""
        if self.made_by != fingerprint(model):
            raise UserError(
                f"the index was not made by the model of {model.lexicon.folder} as it is now: their vectors cannot be "
                f"compared; name the workdir that made it, or {AGAIN}"
            )

    def where(self, text: str) -> np.ndarray:
        """Bool [n]: the entries that pass a filter; see `filters.passing`."""
        return filters.passing(text, self._tags)

    @functools.cached_property
    def _tags(self) -> list[filters.Tags]:
        return [one.tags for one in self.entries]

    def search(
        self,
        queries: np.ndarray,
        top: int = 10,
        where: str = "",
        allowed: np.ndarray | None = None,
        engine: str = "exact",
    ) -> list[list[Found]]:
        """The `top` entries nearest to each query, the best first; of equal scores the lower place first.

        Scores are computed in float64 and rounded to float32, whatever finds the candidates, so that they depend
        neither on the engine nor on the other queries.

        Args:
          queries: float32 [m, D], of unit length.
          top: at least 1; there are no more than pass.
          where: a filter; see `filters.passing`.
          allowed: bool [n], further entries that count; None: all.
          engine: "exact" compares all vectors with NumPy, "faiss" does so with faiss, with equal answers, and "hnsw"
            walks a graph and may miss some. The last two need the extra ``[index]``.

        Raises UserError for a filter that cannot be read, queries of another size, or a missing package.
        """
        if engine not in ENGINES:
            raise UserError(f"the engine is {engine!r}, expected one of {', '.join(ENGINES)}")
        if type(top) is not int or top < 1:
            raise UserError(f"top is {top!r}, expected a number of entries, at least 1")
        queries = np.asarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise UserError(
                f"the queries have the shape {list(queries.shape)}, expected [m, {self.vectors.shape[1]}]: they are "
                "vectors of another model than that of the index"
            )
        mask = self.where(where) if allowed is None else self.where(where) & allowed
        places = np.flatnonzero(mask)
        top = min(top, len(places))
        if not top:
            return [[] for _ in queries]
        candidates = (
            self._exact(queries, top, places) if engine == "exact" else self._engine(engine)(queries, top, mask)
        )
        return [self._ordered(query, some, top) for query, some in zip(queries, candidates, strict=True)]

    def with_graph(self) -> "Index":
        """The index with a faiss HNSW graph, which `save` keeps."""
        return dataclasses.replace(self, graph=self._engine("hnsw").as_bytes())

    def _engine(self, name: str) -> Engine:
        return self._faiss if name == "faiss" else self._hnsw

    @functools.cached_property
    def _faiss(self) -> Engine:
        return engine_of("faiss", self.vectors, ROUNDING)

    @functools.cached_property
    def _hnsw(self) -> Engine:
        return engine_of("hnsw", self.vectors, ROUNDING, self.graph)

    def _exact(self, queries: np.ndarray, top: int, places: np.ndarray) -> Iterator[np.ndarray]:
        """For each query the places of all that can be among the first `top`."""
        candidates = self.vectors if len(places) == len(self.vectors) else self.vectors[places]
        rows = max(1, SCORES_AT_ONCE // len(places))
        for start in range(0, len(queries), rows):
            scores = queries[start : start + rows] @ candidates.T
            least = np.partition(scores, len(places) - top, axis=1)[:, len(places) - top]
            for row, border in zip(scores, least, strict=True):
                yield places[row >= border - ROUNDING]

    def _ordered(self, query: np.ndarray, places: np.ndarray, top: int) -> list[Found]:
        places = np.sort(places)
        products = np.einsum("nd,d->n", self.vectors[places].astype(np.float64), query.astype(np.float64))
        scores = products.astype(np.float32)
        best = np.argsort(-scores, kind="stable")[:top]
        return [
            Found(self.entries[place], score, place)
            for place, score in zip(places[best].tolist(), scores[best].tolist(), strict=True)
        ]


def cut(records: Iterable[Record], window: float) -> Iterator[tuple[Segment, tuple[float, float]]]:
    """All videos of some records, whole or in windows of so many seconds, each with its seconds, in order of names.

    The caption of a segment is the one that it shares most time with, of equal ones the first.
    """
    footage = Footage(records)
    for video_id in footage.video_ids:
        video = footage[video_id]
        length = float(video.border(len(video.visual_ids)))
        for start, end in footage.windows(video_id, window) if window else [(0.0, length)]:
            shared = np.minimum(video.caption_ends, end) - np.maximum(video.caption_starts, start)
            caption = video.captions[int(shared.argmax())] if (shared > 0).any() else ""
            segment = footage.span(video_id, start, end, caption)
            if segment is not None:
                yield segment, (start, end)


def inputs_of(model: "Model") -> str:
    """What a model reads of a video. Raises UserError for one whose vectors were not trained to be compared."""
    section = model.config.task
    if isinstance(section, RetrievalConfig | RecommendationConfig):
        return section.inputs
    raise UserError(
        f"{model.lexicon.folder} was trained for config.task.name={section.name!r}, expected retrieval or "
        "recommendation, whose vectors can be compared; name another workdir"
    )


def require_same_ids(model: "Model", other: Any) -> None:
    """Raises UserError if words and visual words of a `Lexicon`, such as a prepared folder, are not the model's."""
    for theirs, mine in other.counterparts(model.lexicon):
        if not (mine.exists() and theirs.exists() and model.lexicon.matches(theirs, mine)):
            raise UserError(
                f"{theirs} is not that of {model.lexicon.folder}: words and visual words have other numbers there; "
                "name runs and data that were prepared together"
            )


def fingerprint(model: "Model") -> str:
    """A hash of all parameters of a model."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.device_get(model.params)):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()[:32]
