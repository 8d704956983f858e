"""Moments of a video that a text describes, by the similarity of the text's vector and those of the video's windows."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from videobert_jax.config import RetrievalConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.records import Record
from videobert_jax.errors import DamagedError, UserError
from videobert_jax.formats.moments import CLIP
from videobert_jax.inference import curves, vectors
from videobert_jax.inference.curves import Moment, MomentRule
from videobert_jax.inference.lengths import Lengths
from videobert_jax.inference.watch import watch_whole
from videobert_jax.prepare.scan import fingerprint, transcript_beside

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model  # which has these functions as methods

SAMPLE = CLIP  # seconds from window to window
WINDOWS = (4.0, 8.0)  # seconds of the windows around each sample
KEPT = 32  # videos whose vectors are kept, of 10 minutes each about 0.3 MB for 128 dimensions
TOP = 10
EVALUATOR = "moments"  # whose details hold the settings of a workdir


@dataclasses.dataclass(frozen=True)
class Settings:
    """How moments are found.

    Attributes:
      rule: how they follow from similarities.
      lengths: how long they are, by the words of the text, if that is known.
    """

    rule: MomentRule = dataclasses.field(default_factory=MomentRule)
    lengths: Lengths | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"rule": self.rule.as_dict(), "lengths": None if self.lengths is None else self.lengths.as_dict()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Settings":
        """The inverse of `as_dict`."""
        lengths = fields["lengths"]
        return cls(MomentRule(**fields["rule"]), None if lengths is None else Lengths.from_dict(lengths))

    def expected(self, words: Sequence[int]) -> float | None:
        """The seconds of moments that a text of these ids describes."""
        return None if self.lengths is None else self.lengths(words)


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
    """What a model makes of a video once, for all questions about it.

    Attributes:
      vectors: unit vectors float32 [windows, samples, D]: of windows of `WINDOWS` seconds around the middle of each
        sample, which lasts `SAMPLE` seconds.
      seconds: of the video.
    """

    vectors: np.ndarray
    seconds: float

    def curve(self, text: np.ndarray) -> np.ndarray:
        """Float32 [samples]: the mean similarity of the windows around each sample with a text's vector [D]."""
        return (self.vectors @ text).mean(axis=0)


def survey(model: "Model", video: Record) -> Survey:
    """Embeds the windows of a whole video, each once. Raises UserError for a model that was not made to retrieve."""
    section = model.config.task
    if not isinstance(section, RetrievalConfig):
        raise UserError(
            f"this model was trained for config.task.name={section.name!r} and finds nothing by text; load one that "
            "was trained for retrieval"
        )
    if not len(video.visual_ids):
        raise UserError(f"video {video.video_id!r} has no clips, expected at least one to look at")
    footage = Footage([video])
    segments = [one for length in WINDOWS for one in footage.around(video.video_id, length, SAMPLE)]
    found = vectors.of_segments(model, segments, section.inputs)
    return Survey(found.reshape(len(WINDOWS), -1, found.shape[-1]), float(video.border(len(video.visual_ids))))


class Surveys:
    """The surveys of the videos that a model was asked about last, so that no question makes one again."""

    def __init__(self, model: "Model") -> None:
        self._model = model
        self._of_record = functools.lru_cache(KEPT)(functools.partial(survey, model))
        self._of_file = functools.lru_cache(KEPT)(self._watched)

    def __getitem__(self, video: str | pathlib.Path | Record) -> Survey:
        """Of a whole video, or of a file and what is said in it; a file that has changed is another video.

        Raises UserError or OSError for an unusable video.
        """
        if isinstance(video, Record):
            return self._of_record(video)
        path = pathlib.Path(video).expanduser()
        files = (path, transcript_beside(path)) if path.is_file() else ()
        return self._of_file(path.absolute(), fingerprint(files))

    def _watched(self, path: pathlib.Path, version: str) -> Survey:
        del version
        model = self._model
        record = watch_whole(path, None, model.config.prepare, model.vocabulary, model.words, model.details)
        return survey(model, record)


def locate(
    model: "Model", video: str | pathlib.Path | Record, text: str, top: int = TOP, settings: Settings | None = None
) -> list[Moment]:
    """Finds the moments of a video that a text describes, the best first.

    Args:
      model: trained for retrieval.
      video: a file, beside which a transcript is found, or a whole video; it is embedded once for all questions.
      text: such as "someone peels a lemon".
      top: how many moments at most.
      settings: None: as the evaluation of the run has chosen.

    Raises:
      UserError: the text is empty, `top` is no positive number, the video is unusable, or the model retrieves nothing.
    """
    if type(top) is not int or top < 1:
        raise UserError(f"top is {top!r}, expected a number of moments, at least 1")
    words = model.words.encode(text) if isinstance(text, str) else []
    if not len(words):
        raise UserError(f"the text is {text!r}, expected a few words about what is to be found")
    known, seen = settings or settings_of(model), model.surveys[video]
    (vector,) = vectors.of_texts(model, [words])
    return curves.moments(seen.curve(vector), SAMPLE, seen.seconds, known.rule, top, known.expected(words))


def settings_of(model: "Model") -> Settings:
    """What the evaluation of a run has chosen; without one, the default. Raises DamagedError."""
    path = model.evaluation(EVALUATOR)
    if not path.exists():
        return Settings()
    try:
        known = json.loads(path.read_text()).get("settings")
        return Settings() if known is None else Settings.from_dict(known)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged ({error!r}); evaluate the run again, with launch/evaluate.py") from error
