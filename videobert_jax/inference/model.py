"""A trained model and what can be asked of it: what `videobert_jax.load` returns."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from videobert_jax import config as config_lib
from videobert_jax import tokenizer
from videobert_jax.config import Config
from videobert_jax.data.batch import Batch
from videobert_jax.data.prepared import Lexicon
from videobert_jax.data.records import Record
from videobert_jax.data.segments import Segment, beside
from videobert_jax.data.sequences import TokenSequence, encode_text
from videobert_jax.errors import UserError
from videobert_jax.inference import classify, cloze, fill, locate, recommend, vectors
from videobert_jax.inference.curves import Moment
from videobert_jax.inference.index import Found, Index, inputs_of
from videobert_jax.inference.watch import see, watch
from videobert_jax.model.kernels.partition import replicated
from videobert_jax.model.mixture import Mixture
from videobert_jax.model.trunk import Trunk
from videobert_jax.tasks import make_task, mixture
from videobert_jax.tasks.task import Task
from videobert_jax.tokenizer import TextTokenizer
from videobert_jax.tokens import TokenSpace
from videobert_jax.training.parameters import params_of
from videobert_jax.training.workdir import Workdir
from videobert_jax.visual_words.details import Details
from videobert_jax.visual_words.vocabulary import Vocabulary

Video = str | pathlib.Path | Segment  # a file, or what was made of one before


class Guess(NamedTuple):
    """A word for a [MASK], and its probability among all words."""

    word: str
    probability: float


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Attributes:
      config: of its run.
      task: what it was trained for; its network is the only way in.
      params: of the network, on this process's devices.
      lexicon: the files that say what its ids mean.
      part_of: the name of the part of a mixture that it is; "": it is a model by itself.
    """

    config: Config
    task: Task
    params: Any
    lexicon: Lexicon
    part_of: str = ""

    @property
    def tokens(self) -> TokenSpace:
        """The joint vocabulary."""
        return self.task.network.tokens

    @property
    def length(self) -> int:
        """Positions of the longest sequence that it was trained on."""
        return self.config.data.sequence_length

    @functools.cached_property
    def words(self) -> TextTokenizer:
        """Text to ids and back."""
        return tokenizer.load(self.lexicon.tokenizer)

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """Clip features to visual words."""
        return Vocabulary.load(self.lexicon.tree)

    @functools.cached_property
    def details(self) -> Details | None:
        """Clip features to what the model reads of clips besides their words; None if it reads nothing else."""
        reads = "clip_seen" in self.task.network.arrays
        return Details.load(self.lexicon.details) if reads else None

    @functools.cached_property
    def surveys(self) -> locate.Surveys:
        """What it has made of videos that it was asked to locate something in."""
        return locate.Surveys(self)

    def evaluation(self, name: str) -> pathlib.Path:
        """What an evaluator of its run wrote; of a part of a mixture, the evaluator of that part."""
        return Workdir(self.lexicon.folder).evaluation(f"{name}_of_{self.part_of}" if self.part_of else name)

    def part(self, name: str) -> "Model":
        """One part of a mixture, with the same parameters: a model as if it had been trained for that task alone.

        Raises ConfigError if there is no such part.
        """
        config = mixture.config_of(self.config, name)
        network = self.task.network
        assert isinstance(network, Mixture)
        return Model(config, self.task.parts[name], network.params_of(self.params, name), self.lexicon, name)

    def watch(self, video: str | pathlib.Path, transcript: str | pathlib.Path | None = None) -> list[Segment]:
        """What the model reads of a video file: its visual words, and what is said in it.

        A transcript of the same name beside the video is found. Raises UserError or OSError for an unusable video.
        """
        spoken = None if transcript is None else pathlib.Path(transcript).expanduser()
        known = (self.config.prepare, self.vocabulary, self.words, self.details)
        return watch(pathlib.Path(video).expanduser(), spoken, *known)

    def outputs(self, batch: Mapping[str, Any]) -> Any:
        """What the network says about a batch (`data.batch`): its outputs as NumPy arrays."""
        return jax.device_get(_apply(self.task.network, self.params, batch))

    def fill_batch(self, batch: Batch, allowed: np.ndarray, top: int = fill.TOP) -> fill.Fillings:
        """Fills in the places of a batch; see `fill.fill`. Raises UserError if the model predicts no tokens."""
        if "prediction_positions" not in self.task.network.reads:
            raise UserError(
                f"this model was trained for config.task.name={self.config.task.name!r} and predicts no words; "
                "load one that does, such as a pretrained model"
            )
        return fill.fill(self.task.network, self.params, batch, allowed, top=top)

    def fill(self, text: str, video: Video | None = None, top: int = fill.TOP) -> list[list[Guess]]:
        """Fills in each [MASK] of a text, beside a video if there is one (VideoBERT, section 4.2).

        Args:
          text: with at least one [MASK], such as "now let me show you how to [MASK] the [MASK]".
          video: a file, or a segment that `watch` made; as many of its clips as fit are shown, evenly spaced.
          top: how many words to return for each place, at least 1; there are no more than the model has.

        Returns:
          For each [MASK] the likeliest words, the best first. Places are filled independently of each other.

        Raises:
          UserError: there is no [MASK] in the text, the text is too long, or the model predicts no words.
        """
        words = self._encode(text)
        if not np.any(words == self.tokens.mask):
            raise UserError(f"the text is {text!r}, expected at least one [MASK] in it, which the model fills in")
        if type(top) is not int or top < 1:
            raise UserError(f"top is {top!r}, expected a number of words, at least 1")
        top = min(top, int(fill.vocabulary(self.tokens, "text").sum()))
        sequence = self._sequence(words, video)
        answers = fill.fill_in(functools.partial(self.fill_batch, top=top), [sequence], "text", self.tokens, rows=1)
        places = zip(answers.ids[0].tolist(), answers.probabilities[0].tolist(), strict=True)
        return [
            [Guess(self.words.name(id_), probability) for id_, probability in zip(*place, strict=True)]
            for place in places
        ]

    def classify(
        self, video: Video, transcript: str | pathlib.Path | None = None, text: str | None = None
    ) -> list[classify.Class]:
        """The classes of a video or a segment, the likeliest first; see `inference.classify.classify`."""
        return classify.classify(self, video, transcript, text)

    def embed(self, text: str = "", video: Video | None = None) -> np.ndarray:
        """A unit vector float32 [D] for a text, a video, or both together.

        It is the mean of the last layer over the words and the clips (Reimers and Gurevych 2019), not trained for
        comparison: the retrieval task trains such vectors.

        Raises:
          UserError: neither is given, the text is too long, or it has no word that the model knows.
        """
        words = self._encode(text)
        if not len(words) and video is None:
            raise UserError("there is nothing to embed: give a text, a video, or both")
        batch = fill.batch_of([self._sequence(words, video)], self.tokens, rows=1)
        hidden = self.outputs(batch).hidden[0].astype(np.float32)
        known = ~np.isin(batch["token_ids"][0], self.tokens.specials)
        if not known.any():
            raise UserError(f"the text {text!r} has no word that the model knows, expected at least one")
        vector = hidden[known].mean(axis=0)
        return vector / np.linalg.norm(vector)

    def search(self, query: str | Segment, index: Index, top: int = 10, where: str = "") -> list[Found]:
        """The entries of an index that are nearest to a text, or to a video that `watch` made a segment of.

        Raises UserError for an index of another model, an empty text, or one that this model was not trained with.
        """
        index.require_model(self)
        if isinstance(query, Segment):
            vector = vectors.of_segments(self, [query], inputs_of(self))
        else:
            vector = vectors.of_query(self, self._encode(query).tolist(), query)
        return index.search(vector, top, where)[0]

    def recommend(self, history: Sequence[Segment], index: Index, top: int = 10, where: str = "") -> list[Found]:
        """The entries of an index for a viewer who watched these videos, never of one of them by its name.

        Raises UserError for an index of another model, an empty history, or one that recommends nothing.
        """
        index.require_model(self)
        watched = [one.video_id for one in history]
        return recommend.for_viewer(index, recommend.of_history(self, history), watched, top, where)

    def answer(self, question: str, video: Video, answers: Sequence[str] = ()) -> list[cloze.Answer]:
        """Answers to a question about a video, the likeliest first; see `inference.cloze` for arguments and errors."""
        segment = video if isinstance(video, Segment) else self._see(pathlib.Path(video).expanduser())
        return cloze.answer(self, question, segment, answers)

    def locate(self, video: str | pathlib.Path | Record, text: str, top: int = locate.TOP) -> list[Moment]:
        """Finds the moments of a video that a text describes, the best first; see `locate.locate`."""
        return locate.locate(self, video, text, top)

    def _encode(self, text: str) -> np.ndarray:
        """Its ids int32 [m]. Raises UserError for what is no text."""
        if not isinstance(text, str):
            raise UserError(f"the text is {text!r}, expected a string")
        return np.array(self.words.encode(text), np.int32)

    def _sequence(self, words: np.ndarray, video: Video | None) -> TokenSequence:
        """What the network reads: words int32 [m], and of the video as many clips as there is room for."""
        longest = self.length - (2 if video is None else 4)  # [CLS], [SEP]; with a video also [>] and a clip
        if len(words) > longest:
            raise UserError(
                f"the text has {len(words)} tokens, expected at most {longest}: a sequence of this model has "
                f"{self.length} positions"
            )
        if video is None:
            return encode_text(words, self.tokens)
        segment = video if isinstance(video, Segment) else self._see(pathlib.Path(video).expanduser())
        return beside(words, segment, self.length - len(words) - 3, self.tokens)

    def _see(self, video: pathlib.Path) -> Segment:
        """A whole file as a segment; what is said in it does not matter here."""
        visual_ids, details = see(video, self.config.prepare, self.vocabulary, self.details)
        return Segment(video.stem, "", 0, visual_ids, (), details)


@functools.partial(jax.jit, static_argnums=0)
def _apply(network: Trunk, params: Any, batch: Mapping[str, jax.Array]) -> Any:
    return replicated(network.apply({"params": params}, batch))


def load(folder: str | pathlib.Path, part: str = "") -> Model:
    """The model of a run, from its newest checkpoint or the best (`checkpoint.used`), on this process's first device.

    It reads the parameters alone; the memory that takes is theirs and little more.

    Args:
      folder: of the run.
      part: the name of one part, if the run was trained for several tasks at once; "": all of it.

    Raises:
      MissingError: `folder` is not the folder of a run, or has no checkpoint.
      ConfigError: its config cannot be read, or has no such part.
      OSError: its checkpoints are damaged.
    """
    workdir = Workdir(pathlib.Path(folder).expanduser())
    workdir.require()
    config = config_lib.load(workdir.config_file)
    task = make_task(config, workdir.tokens())
    model = Model(config, task, params_of(workdir, config.checkpoint, jax.local_devices()[0]), workdir)
    return model.part(part) if part else model
