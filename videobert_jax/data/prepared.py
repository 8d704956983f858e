"""The paths within a folder of prepared data; defined only here."""

import dataclasses
import filecmp
import pathlib
from collections.abc import Sequence

from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.records import RecordSource, splits_of
from videobert_jax.errors import DamagedError
from videobert_jax.files import read_json
from videobert_jax.tokens import TokenSpace

TRAIN, VALIDATION, TEST = "train", "validation", "test"
VIEW = "view"  # and its number: a split of its own, with one view of each training video


def view_number(split: str) -> int:
    """The number of the view that a split holds; 0 for a split of videos as they are."""
    number = split.removeprefix(VIEW)
    return int(number) if split != number and number.isdecimal() else 0


def videos_of(split: str) -> str:
    """The split that has the videos of a split, which may be one of views, as they are."""
    return TRAIN if view_number(split) else split


@dataclasses.dataclass(frozen=True)
class Lexicon:
    """The files that define token ids, in a prepared folder or copied to a workdir."""

    folder: pathlib.Path

    @property
    def tokens_file(self) -> pathlib.Path:
        """The sizes and special ids of the joint vocabulary."""
        return self.folder / "tokens.json"

    @property
    def tokenizer(self) -> pathlib.Path:
        """A Hugging Face tokenizer folder."""
        return self.folder / "tokenizer"

    @property
    def vocabulary(self) -> pathlib.Path:
        """The visual vocabulary: the tree of centroids, a picture of each word, contact sheets."""
        return self.folder / "vocabulary"

    @property
    def tree(self) -> pathlib.Path:
        """The projection and the centroids, a `visual_words.vocabulary.Vocabulary`."""
        return self.vocabulary / "tree.npz"

    @property
    def details(self) -> pathlib.Path:
        """What the records keep of clips besides their words, a `visual_words.details.Details`, if they do."""
        return self.vocabulary / "details.npz"

    def picture(self, word: int) -> bytes:
        """Reads the JPEG file that represents a visual word in [0, V)."""
        return (self.vocabulary / "frames" / f"{word:05d}.jpg").read_bytes()

    def tokens(self) -> TokenSpace:
        """Reads the joint vocabulary."""
        try:
            return TokenSpace.load(self.tokens_file)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise DamagedError(
                f"{self.tokens_file} is damaged ({type(error).__name__}: {error}); restore it from a copy, or make the "
                "folder again"
            ) from error

    @property
    def copied(self) -> tuple[pathlib.Path, ...]:
        """All files and folders, which a run copies to its workdir."""
        return self.tokens_file, self.tokenizer, self.vocabulary

    @property
    def defining(self) -> tuple[pathlib.Path, ...]:
        """The files that must not change under a trained model."""
        details = (self.details,) if self.details.exists() else ()
        return self.tokens_file, self.tokenizer / "tokenizer.json", self.tree, *details

    def matches(self, path: pathlib.Path, other: pathlib.Path) -> bool:
        """Whether two files that define ids say the same; earlier versions of `tokens_file` said less."""
        if filecmp.cmp(path, other, shallow=False):
            return True
        if path.name != self.tokens_file.name:
            return False
        try:
            one, another = (dataclasses.replace(Lexicon(file.parent).tokens(), continuing=()) for file in (path, other))
        except DamagedError:
            return False
        return one == another

    def counterparts(self, other: "Lexicon") -> list[tuple[pathlib.Path, pathlib.Path]]:
        """Pairs (the path here, the other's file) of all that defines the other's ids."""
        return [(self.folder / path.relative_to(other.folder), path) for path in other.defining]


@dataclasses.dataclass(frozen=True)
class Prepared(Lexicon):
    """The output of `prepare`."""

    @property
    def records(self) -> pathlib.Path:
        """A TFDS dataset with the splits TRAIN and VALIDATION, TEST if annotations name videos of it, and views."""
        return self.folder / "records"

    @property
    def manifest(self) -> pathlib.Path:
        """Written last: a folder that has it is complete."""
        return self.folder / "manifest.json"

    @property
    def report(self) -> pathlib.Path:
        """The counts of prepared, repaired and quarantined items."""
        return self.folder / "report.json"

    @property
    def quality(self) -> pathlib.Path:
        """How well the visual words fit the clips."""
        return self.vocabulary / "quality.json"

    @property
    def unreadable(self) -> pathlib.Path:
        """The reasons why videos have no features."""
        return self.folder / "unreadable.json"

    @property
    def sentences(self) -> pathlib.Path:
        """The sentences of each block's videos."""
        return self.folder / "sentences"

    @property
    def plan(self) -> pathlib.Path:
        """The videos to prepare; exists only during preparation, like `blocks` and `transcripts`."""
        return self.folder / "plan.jsonl"

    @property
    def blocks(self) -> pathlib.Path:
        """The plan of each block of videos."""
        return self.folder / "blocks"

    @property
    def transcripts(self) -> pathlib.Path:
        """Each block's part of a shared transcript file."""
        return self.folder / "transcripts"

    def features(self, video_id: str, view: int = 0) -> pathlib.Path:
        """Returns the path of the `data.features.ClipFeatures` of a video, or of a view of it."""
        return self.folder / (f"{VIEW}{view}" if view else "features") / f"{video_id}.npz"

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have records, without views. Raises RecordError."""
        return tuple(split for split in splits_of(self.records) if not view_number(split))

    def may_mirror(self, split: str) -> bool:
        """Whether what a split holds may be mirrored, as views can be. Raises DamagedError."""
        return view_number(split) > 0 and read_json(self.manifest, self.folder)["config"]["view_flip"]

    @property
    def views(self) -> tuple[str, ...]:
        """The splits of views, in order. Raises RecordError."""
        return tuple(sorted(set(splits_of(self.records)) - set(self.splits), key=view_number))

    def source(self, split: str) -> RecordSource:
        """Opens the records of a split. Raises RecordError."""
        return RecordSource(self.records, split)

    def thumbnails(self, video_id: str) -> Sequence[bytes]:
        """Reads one JPEG file per clip of a video. Raises DamagedError."""
        return ClipFeatures.load(self.features(video_id)).thumbnails
