"""Recommends videos to viewers and viewers for videos, new videos too: all are vectors of what the videos show."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from videobert_jax.config import RecommendationConfig
from videobert_jax.data.segments import Segment
from videobert_jax.errors import UserError
from videobert_jax.inference import vectors
from videobert_jax.inference.index import Found, Index

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has some of these functions as methods


class Viewer(NamedTuple):
    """A viewer's name, and the cosine similarity with a video."""

    name: str
    score: float


@dataclasses.dataclass(frozen=True, eq=False)
class Viewers:
    """Viewers, known by what they watched.

    Attributes:
      names: of v viewers.
      vectors: float32 [v, D], unit vectors: the means of those of the videos that each watched.
      watched: the names of these videos.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    watched: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, histories: Mapping[str, Sequence[str]], of_videos: Mapping[str, np.ndarray]) -> "Viewers":
        """Viewers by the names of what they watched; `of_videos` has a unit vector float32 [D] of each.

        Raises UserError for a viewer without history, whom nothing is known of.
        """
        if nobody := [name for name, history in histories.items() if not history]:
            raise UserError(f"viewer {nobody[0]!r} has watched nothing that is known, expected at least one video")
        means = [mean([of_videos[one] for one in history]) for history in histories.values()]
        return cls(tuple(histories), np.stack(means), tuple(map(frozenset, histories.values())))

    def for_video(self, video: np.ndarray, video_id: str = "", top: int = 10) -> list[Viewer]:
        """The viewers to show a video to, a unit vector float32 [D], the nearest first; of equal ones the earlier.

        Those who have watched it, by its name, are left out; a new video has no name, or one that nobody watched.
        """
        others = np.array([place for place, watched in enumerate(self.watched) if video_id not in watched], int)
        scores = self.vectors[others] @ np.asarray(video, np.float32)
        best = np.argsort(-scores, kind="stable")[:top]
        return [Viewer(self.names[others[place]], float(scores[place])) for place in best]


def mean(of_videos: Sequence[np.ndarray]) -> np.ndarray:
    """The unit vector float32 [D] of a viewer who watched videos of these unit vectors."""
    total = np.stack(of_videos).sum(axis=0, dtype=np.float64)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float32)


def for_viewer(
    index: Index,
    viewer: np.ndarray,
    watched: Sequence[str] = (),
    top: int = 10,
    where: str = "",
    engine: str = "exact",
) -> list[Found]:
    """The entries of an index for a viewer, a unit vector float32 [D]: never of a video in `watched`; best first."""
    seen = frozenset(watched)
    allowed = np.array([one.video_id not in seen for one in index.entries], bool)
    return index.search(viewer[None], top, where, allowed, engine)[0]


def of_history(model: "Model", history: Sequence[Segment]) -> np.ndarray:
    """The unit vector float32 [D] of a viewer who watched these videos, in any order.

    Raises UserError for an empty history, or a model that was not trained for recommendation.
    """
    if not history:
        raise UserError("the history is empty: the viewer has watched nothing that is known; name at least one video")
    return mean(list(vectors.of_segments(model, history, recommends(model).inputs)))


def recommends(model: "Model") -> RecommendationConfig:
    """The section of a model that recommends. Raises UserError for another."""
    section = model.config.task
    if not isinstance(section, RecommendationConfig):
        raise UserError(
            f"{model.lexicon.folder} was trained for config.task.name={section.name!r}, expected recommendation; name "
            "another workdir"
        )
    return section
