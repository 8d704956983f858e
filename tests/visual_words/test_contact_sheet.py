"""Pictures of visual words."""

import io
import pathlib

import numpy as np
from PIL import Image, ImageDraw

from videobert_jax.visual_words import contact_sheet
from videobert_jax.visual_words.contact_sheet import Examples, nearest_clips, write_pictures
from videobert_jax.visual_words.vocabulary import fit


def jpeg(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (grey, grey, grey)).save(file, "JPEG")
    return file.getvalue()


def corpus() -> dict[str, np.ndarray]:
    near, far = np.float32([0, 0]), np.float32([50, 0])
    return {"a": np.stack([near + 4, far, near]), "b": np.stack([far + 6, near - 2.5, far + 1])}


def test_nearest_clips_are_sorted_by_distance_to_the_centroid() -> None:
    tree = fit(np.concatenate(list(corpus().values())), 2, 1, seed=0)
    near, far = tree.assign(np.float32([[0, 0], [50, 0]]))
    examples = nearest_clips(tree, corpus().items(), count=2)
    assert examples[near] == Examples(3, (("a", 2), ("b", 1)))  # the centroid is (0.5, 0.5)
    assert examples[far] == Examples(3, (("b", 2), ("a", 1)))  # the centroid is (52.3, 2.3)


def test_a_word_without_clips_takes_those_of_the_nearest_word_that_has_some() -> None:
    features = np.float32([[0, 0], [10, 0], [100, 0], [111, 0]])
    tree = fit(features, 4, 1, seed=0)
    words = tree.assign(features)
    examples = nearest_clips(tree, [("b", features[[0, 2]])], count=1)
    assert [examples[word].clips for word in words] == [(("b", 0),), (("b", 0),), (("b", 1),), (("b", 1),)]
    assert [examples[word].count for word in words] == [1, 0, 1, 0]


def test_of_equally_near_clips_the_first_count_however_many_are_held(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 3)).astype(np.float32)
    tree = fit(features, 3, 2, seed=0)
    videos = [(f"{number}", np.concatenate([features[number : number + 7], features[:2]])) for number in range(50)]
    all_clips: dict[int, list] = {word: [] for word in range(tree.size)}
    for order, (video_id, own) in enumerate(videos):
        distances = np.sum((tree.projection(own) - tree.centroids[tree.assign(own)]) ** 2, axis=1)
        for clip, (word, distance) in enumerate(zip(tree.assign(own), distances, strict=True)):
            all_clips[word].append((distance, order, (video_id, clip)))
    expected = [Examples(len(own), tuple(clip for *_, clip in sorted(own)[:3])) for own in all_clips.values()]
    assert nearest_clips(tree, videos, count=3) == expected
    for held in (0, 1, 40):
        monkeypatch.setattr(contact_sheet, "HELD", held)
        assert nearest_clips(tree, videos, count=3) == expected


def test_no_more_clips_are_held_than_the_words_need(monkeypatch) -> None:
    monkeypatch.setattr(contact_sheet, "HELD", 50)
    tree = fit(np.concatenate(list(corpus().values())), 2, 1, seed=0)
    merged = []
    keep = contact_sheet._nearest_of_each
    monkeypatch.setattr(
        contact_sheet, "_nearest_of_each", lambda clips, count: merged.append(len(clips)) or keep(clips, count)
    )
    nearest_clips(tree, [(f"{number}", corpus()["a"]) for number in range(100)], count=2)
    assert 5 <= len(merged) <= 7
    assert max(merged) <= 50 + 3 + 2 * 2


def test_pictures_are_those_of_the_nearest_clips(tmp_path) -> None:
    greys = {"a": [0, 40, 80], "b": [120, 160, 200]}
    opened = []

    def thumbnails(video_id: str) -> list[bytes]:
        opened.append(video_id)
        return [jpeg(grey) for grey in greys[video_id]]

    examples = [Examples(2, (("b", 1), ("a", 0))), Examples(0, (("b", 2),)), Examples(9, (("a", 2),))]
    write_pictures(tmp_path, examples, thumbnails)
    assert opened == ["a", "b", "a", "b"]  # once for frames, once for the sheet
    for word, grey in enumerate([160, 200, 80]):
        assert Image.open(tmp_path / f"frames/{word:05d}.jpg").getpixel((5, 5)) == (grey, grey, grey)
    assert len(list((tmp_path / "frames").iterdir())) == 3
    assert shown(tmp_path / "contact_sheet.jpg") == [0, 80, 160]  # not the word that no clip has
    assert not (tmp_path / "contact_sheets").exists()


def shown(sheet: pathlib.Path) -> list[int]:
    """The greys of the frames on a sheet."""
    pixels = np.asarray(Image.open(sheet).convert("L")).astype(int)
    return [grey for grey in range(0, 250, 40) if np.sum(np.abs(pixels - grey) <= 3) > 0.8 * 64 * 64]


def test_a_sheet_names_its_words_in_order_over_their_frames(tmp_path, monkeypatch) -> None:
    texts, pasted = [], []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, at, text, **style: texts.append((at, text)))
    monkeypatch.setattr(Image.Image, "paste", lambda self, frame, at: pasted.append((at, frame.size)))
    examples = [Examples(1 + 2000 * word, (("a", 0),) * 5) for word in range(8)]
    write_pictures(tmp_path, examples, lambda video_id: [jpeg(0)])
    assert texts[0][1].startswith("the 8 most frequent of 8 visual words; 8 have clips.")
    assert [text for _, text in texts[1:3]] == ["0: 1 clip", "1: 2,001 clips"]
    assert [text.split(":")[0] for _, text in texts[1:]] == [str(word) for word in range(8)]
    assert len(pasted) == 8 * 4
    assert {size for _, size in pasted} == {(64, 64)}
    for (left, top), first in zip([at for at, _ in texts[1:]], [at for at, _ in pasted[::4]], strict=True):
        assert left == first[0]
        assert 12 < first[1] - top < 16
    assert len({at for at, _ in pasted}) == 8 * 4


def test_a_large_vocabulary_has_pages_of_all_its_words_and_a_sheet_of_the_most_frequent(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(contact_sheet, "SHEET_WORDS", 2)
    shades = [jpeg(grey) for grey in (0, 40, 80, 120, 160)]
    examples = [Examples(count, (("a", word),)) for word, count in enumerate([3, 8, 1, 9, 0])]
    write_pictures(tmp_path, examples, lambda video_id: shades)
    pages = sorted((tmp_path / "contact_sheets").iterdir())
    assert [page.name for page in pages] == ["00000.jpg", "00002.jpg", "00004.jpg"]
    assert len(list((tmp_path / "frames").iterdir())) == 5
    assert [shown(page) for page in pages] == [[0, 40], [80, 120], []]
    assert shown(tmp_path / "contact_sheet.jpg") == [40, 120]
