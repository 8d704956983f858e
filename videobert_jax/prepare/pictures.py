"""What visual words look like: the frame nearest each centroid, and a contact sheet for people (VideoBERT figure 3)."""

import collections
import io
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from videobert_jax.prepare.clustering import squared_distances
from videobert_jax.prepare.vocabulary import Vocabulary

Clip = tuple[str, int]  # video id, index of the clip in the video
SHEET_WORDS = 240  # words on one contact sheet, at most
SHEET_COLUMNS = 6  # words side by side
SHEET_FRAMES = 4  # frames of each word, nearest first
CELL = 64  # pixels, side of a frame on the sheet
GAP = 16  # pixels around a word; holds its number
BLOCK = 1024  # words without clips whose nearest word is looked for at once


def nearest_clips(vocabulary: Vocabulary, videos: Iterable[tuple[str, np.ndarray]], count: int) -> list[list[Clip]]:
    """For each visual word, at most `count` of the clips that have it, nearest to its centroid first.

    Args:
      vocabulary: fitted on these videos; a word that none of them has gets the clips of the nearest one that some have.
      videos: (video id, float features [clips, D]), read once.
      count: clips of each word.
    """
    clips: list[Clip] = []
    words, distances = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    centroids = vocabulary.centroids
    for video_id, features in videos:
        clips += [(video_id, index) for index in range(len(features))]
        words.append(vocabulary.assign(features))
        distances.append(np.sum((vocabulary.projection(features) - centroids[words[-1]]) ** 2, axis=1))
    all_words = np.concatenate(words)
    order = np.lexsort((np.concatenate(distances), all_words))  # by word, then by distance
    groups = np.split(order, np.searchsorted(all_words[order], np.arange(1, vocabulary.size)))
    used = np.array([word for word, group in enumerate(groups) if len(group)])
    shown = np.arange(vocabulary.size)
    unused = np.setdiff1d(shown, used)
    for block in np.split(unused, range(BLOCK, len(unused), BLOCK)):
        shown[block] = used[squared_distances(centroids[block], centroids[used]).argmin(axis=1)]
    return [[clips[index] for index in groups[word][:count]] for word in shown]


def write_pictures(
    directory: pathlib.Path, nearest: Sequence[Sequence[Clip]], thumbnails: Callable[[str], Sequence[bytes]]
) -> None:
    """Writes ``frames/<word, five digits>.jpg`` for every word that has a clip, and contact sheets.

    ``contact_sheet.jpg`` shows `SHEET_WORDS` words evenly spaced over the vocabulary, all of a small one. A larger one
    has all its words in ``contact_sheets/<first word, five digits>.jpg`` too.

    Args:
      directory: the vocabulary's folder.
      nearest: clips of each word from `nearest_clips`, of the training videos alone.
      thumbnails: gives a video's JPEGs, one for each clip; called once a sheet for each video that is needed.
    """
    (directory / "frames").mkdir(parents=True, exist_ok=True)
    words = list(range(len(nearest)))
    pages = [words[start : start + SHEET_WORDS] for start in range(0, len(words), SHEET_WORDS)]
    for page in pages:
        rows = _pictures(page, nearest, thumbnails)
        for word, frames in rows:
            if frames:
                (directory / "frames" / f"{word:05d}.jpg").write_bytes(frames[0])
        if len(pages) > 1:
            (directory / "contact_sheets").mkdir(exist_ok=True)
            _contact_sheet(rows).save(directory / "contact_sheets" / f"{page[0]:05d}.jpg", quality=85)
    if len(pages) > 1:
        rows = _pictures(np.linspace(0, len(nearest) - 1, SHEET_WORDS).astype(int).tolist(), nearest, thumbnails)
    _contact_sheet(rows).save(directory / "contact_sheet.jpg", quality=85)


def _pictures(
    words: Sequence[int], nearest: Sequence[Sequence[Clip]], thumbnails: Callable[[str], Sequence[bytes]]
) -> list[tuple[int, list[bytes]]]:
    """Each of `words` with the JPEGs of its nearest clips; a video is opened once."""
    needed = collections.defaultdict(set)
    for video_id, index in (clip for word in words for clip in nearest[word][:SHEET_FRAMES]):
        needed[video_id].add(index)
    pictures: dict[Clip, bytes] = {}
    for video_id in sorted(needed):
        frames = thumbnails(video_id)
        pictures |= {(video_id, index): frames[index] for index in needed[video_id]}
    return [(word, [pictures[clip] for clip in nearest[word][:SHEET_FRAMES]]) for word in words]


def _contact_sheet(words: Sequence[tuple[int, Sequence[bytes]]]) -> Image.Image:
    """A grid of words, each its number over a strip of its nearest frames."""
    width, height = SHEET_FRAMES * CELL + GAP, CELL + GAP
    columns = min(SHEET_COLUMNS, len(words))
    sheet = Image.new("RGB", (columns * width + GAP, -(-len(words) // columns) * height + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (word, frames) in enumerate(words):
        left, top = GAP + place % columns * width, place // columns * height + GAP
        draw.text((left, top - 13), f"{word}", fill="#555555")
        for index, jpeg in enumerate(frames):
            frame = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(frame, (left + index * CELL, top))
    return sheet
