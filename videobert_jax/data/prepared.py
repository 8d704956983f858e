"""A folder of prepared data, and what a model's ids mean: no other file spells these paths."""

import dataclasses
import pathlib
from collections.abc import Sequence

from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.records import RecordSource
from videobert_jax.tokens import TokenSpace

TRAIN, VALIDATION = "train", "validation"


@dataclasses.dataclass(frozen=True)
class Lexicon:
    """The files of a folder that say what ids mean: a prepared folder has them, and a workdir has copies.

    Attributes:
      folder: where they lie.
    """

    folder: pathlib.Path

    @property
    def tokens_file(self) -> pathlib.Path:
        """The sizes and the special ids of the joint vocabulary."""
        return self.folder / "tokens.json"

    @property
    def tokenizer(self) -> pathlib.Path:
        """A Hugging Face tokenizer folder."""
        return self.folder / "tokenizer"

    @property
    def vocabulary(self) -> pathlib.Path:
        """The visual words: the tree of centroids, a picture of each word, contact sheets."""
        return self.folder / "vocabulary"

    @property
    def tree(self) -> pathlib.Path:
        """The projection and the centroids, `visual_words.vocabulary.Vocabulary`."""
        return self.vocabulary / "tree.npz"

    def picture(self, word: int) -> bytes:
        """The JPEG file that stands for a visual word in [0, V)."""
        return (self.vocabulary / "frames" / f"{word:05d}.jpg").read_bytes()

    def tokens(self) -> TokenSpace:
        """The joint vocabulary."""
        return TokenSpace.load(self.tokens_file)

    @property
    def copied(self) -> tuple[pathlib.Path, ...]:
        """All of it: what a run copies into its workdir."""
        return self.tokens_file, self.tokenizer, self.vocabulary

    @property
    def defining(self) -> tuple[pathlib.Path, ...]:
        """The files of it that must not change under a trained model."""
        return self.tokens_file, self.tokenizer / "tokenizer.json", self.tree


@dataclasses.dataclass(frozen=True)
class Prepared(Lexicon):
    """What `prepare` makes of videos and transcripts, once."""

    @property
    def records(self) -> pathlib.Path:
        """A TFDS data set with the splits TRAIN and VALIDATION."""
        return self.folder / "records"

    @property
    def manifest(self) -> pathlib.Path:
        """Written last: a folder with it is finished."""
        return self.folder / "manifest.json"

    @property
    def report(self) -> pathlib.Path:
        """What was prepared, repaired and quarantined."""
        return self.folder / "report.json"

    @property
    def quality(self) -> pathlib.Path:
        """How well the visual words fit the clips."""
        return self.vocabulary / "quality.json"

    @property
    def unreadable(self) -> pathlib.Path:
        """Why some videos gave no features."""
        return self.folder / "unreadable.json"

    @property
    def sentences(self) -> pathlib.Path:
        """What is said in the videos of each block."""
        return self.folder / "sentences"

    @property
    def plan(self) -> pathlib.Path:
        """The videos to prepare; there only while they are prepared, like `blocks` and `transcripts`."""
        return self.folder / "plan.jsonl"

    @property
    def blocks(self) -> pathlib.Path:
        """The plan of each block of videos."""
        return self.folder / "blocks"

    @property
    def transcripts(self) -> pathlib.Path:
        """What one file with many transcripts has for each block."""
        return self.folder / "transcripts"

    def features(self, video_id: str) -> pathlib.Path:
        """The file of a video's clip features, `data.features.ClipFeatures`."""
        return self.folder / "features" / f"{video_id}.npz"

    def source(self, split: str) -> RecordSource:
        """The records of a split. Raises RecordError."""
        return RecordSource(self.records, split)

    def thumbnails(self, video_id: str) -> Sequence[bytes]:
        """JPEG files, one for each clip of a video. Raises DamagedError."""
        return ClipFeatures.load(self.features(video_id)).thumbnails
