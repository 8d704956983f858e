"""Pictures of visual words: the frame nearest each centroid, and contact sheets (VideoBERT figure 3)."""

import collections
import dataclasses
import io
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from videobert_jax.visual_words.kmeans import nearest
from videobert_jax.visual_words.vocabulary import Vocabulary

Clip = tuple[str, int]  # video id, index of the clip in the video
SHEET_WORDS = 240  # words on one contact sheet, at most
SHEET_COLUMNS = 6  # words side by side
SHEET_FRAMES = 4  # frames of each word, nearest first
CELL = 64  # pixels, side of a frame on the sheet
GAP = 16  # pixels around a word; holds its number
TEXT = 12  # pixels, size of the letters
HELD = 1 << 16  # clips buffered before only the nearest of each word are kept
FOUND = np.dtype([("word", np.int32), ("distance", np.float32), ("video", np.int32), ("clip", np.int32)])


@dataclasses.dataclass(frozen=True)
class Examples:
    """Clips that illustrate a visual word."""

    count: int  # clips that have the word
    clips: tuple[Clip, ...]  # nearest to the centroid, nearest first; those of the nearest used word if unused


def nearest_clips(vocabulary: Vocabulary, videos: Iterable[tuple[str, np.ndarray]], count: int) -> list[Examples]:
    """Finds up to `count` examples for each visual word, the first in a tie.

    Memory grows with words and videos, not clips. `videos` are those that the vocabulary was fitted on, (id, float
    features [clips, D]), read once; at least one clip in all.
    """
    centroids = vocabulary.centroids
    counts = np.zeros(vocabulary.size, int)
    video_ids: list[str] = []
    found, held = [np.zeros(0, FOUND)], 0
    for video_id, features in videos:
        clips = np.zeros(len(features), FOUND)
        clips["word"] = words = vocabulary.assign(features)
        clips["distance"] = np.sum((vocabulary.projection(features) - centroids[words]) ** 2, axis=1)
        clips["video"], clips["clip"] = len(video_ids), np.arange(len(features))
        video_ids.append(video_id)
        counts += np.bincount(words, minlength=vocabulary.size)
        found, held = [*found, clips], held + len(clips)
        if held > HELD:
            found, held = [_nearest_of_each(np.concatenate(found), count)], 0
    kept = _nearest_of_each(np.concatenate(found), count)
    used, starts = np.unique(kept["word"], return_index=True)
    groups = [
        tuple((video_ids[clip["video"]], int(clip["clip"])) for clip in group) for group in np.split(kept, starts[1:])
    ]
    shown = np.arange(vocabulary.size)
    unused = np.setdiff1d(shown, used)
    shown[unused] = used[nearest(centroids[unused], centroids[used])[0]]
    of_word = dict(zip(used.tolist(), groups, strict=True))
    return [Examples(int(counts[word]), of_word[other]) for word, other in enumerate(shown.tolist())]


def _nearest_of_each(clips: np.ndarray, count: int) -> np.ndarray:
    """Of `FOUND` clips, at most `count` per word, sorted by word and then by distance."""
    clips = clips[np.lexsort((clips["distance"], clips["word"]))]
    rank = np.arange(len(clips)) - np.searchsorted(clips["word"], clips["word"])
    return clips[rank < count]


def write_pictures(
    directory: pathlib.Path, examples: Sequence[Examples], thumbnails: Callable[[str], Sequence[bytes]]
) -> None:
    """Writes ``frames/<word, five digits>.jpg`` for every word, and contact sheets of the words in use.

    ``contact_sheet.jpg`` shows the `SHEET_WORDS` most frequent words, ordered by number, so that neighbours look alike.
    For a larger vocabulary, ``contact_sheets/<first number, five digits>.jpg`` show all words: each page covers
    `SHEET_WORDS` numbers and takes 1 to 2 KB per frame.

    Args:
      directory: the vocabulary's folder.
      examples: for each word, from `nearest_clips` on the training videos.
      thumbnails: returns a video's JPEGs, one per clip; called once per sheet for each video needed.
    """
    (directory / "frames").mkdir(parents=True, exist_ok=True)
    total = len(examples)
    used = sum(example.count > 0 for example in examples)
    pages = [range(start, min(start + SHEET_WORDS, total)) for start in range(0, total, SHEET_WORDS)]
    for page in pages:
        rows = _pictures(page, examples, thumbnails)
        for word, frames in rows:
            (directory / "frames" / f"{word:05d}.jpg").write_bytes(frames[0])
        if len(pages) > 1:
            (directory / "contact_sheets").mkdir(exist_ok=True)
            title = f"visual words {page[0]:,} to {page[-1]:,} of {total:,}; {used:,} have clips"
            _contact_sheet(title, rows, examples).save(directory / "contact_sheets" / f"{page[0]:05d}.jpg", quality=85)
    frequent = sorted(sorted(range(total), key=lambda word: -examples[word].count)[:SHEET_WORDS])
    title = f"the {min(used, SHEET_WORDS):,} most frequent of {total:,} visual words; {used:,} have clips"
    rows = _pictures(frequent, examples, thumbnails)
    _contact_sheet(title, rows, examples).save(directory / "contact_sheet.jpg", quality=85)


def _pictures(
    words: Sequence[int], examples: Sequence[Examples], thumbnails: Callable[[str], Sequence[bytes]]
) -> list[tuple[int, list[bytes]]]:
    """Each of `words` with the JPEGs of its nearest clips; opens each video once."""
    needed = collections.defaultdict(set)
    for video_id, index in (clip for word in words for clip in examples[word].clips[:SHEET_FRAMES]):
        needed[video_id].add(index)
    pictures: dict[Clip, bytes] = {}
    for video_id in sorted(needed):
        frames = thumbnails(video_id)
        pictures |= {(video_id, index): frames[index] for index in needed[video_id]}
    return [(word, [pictures[clip] for clip in examples[word].clips[:SHEET_FRAMES]]) for word in words]


def _contact_sheet(
    title: str, words: Sequence[tuple[int, Sequence[bytes]]], examples: Sequence[Examples]
) -> Image.Image:
    """A grid of the words in use: number and count over a strip of the nearest frames."""
    width, height = SHEET_FRAMES * CELL + GAP, CELL + GAP
    words = [(word, frames) for word, frames in words if examples[word].count]
    rows = -(-len(words) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * width + GAP, rows * height + 2 * GAP), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text(
        (GAP, 2), f"{title}. Each: number, clips that have it, the nearest of them first.", fill="black", font_size=TEXT
    )
    for place, (word, frames) in enumerate(words):
        left, top = GAP + place % SHEET_COLUMNS * width, place // SHEET_COLUMNS * height + 2 * GAP
        count = examples[word].count
        draw.text(
            (left, top - 15), f"{word}: {count:,} {'clip' if count == 1 else 'clips'}", fill="#555555", font_size=TEXT
        )
        for index, jpeg in enumerate(frames):
            frame = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(frame, (left + index * CELL, top))
    return sheet
