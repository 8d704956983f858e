"""Pictures of visual words."""

import io

import numpy as np
from PIL import Image

from videobert_jax.prepare import pictures
from videobert_jax.prepare.pictures import nearest_clips, write_pictures
from videobert_jax.prepare.vocabulary import fit


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
    nearest = nearest_clips(tree, corpus().items(), count=2)
    assert nearest[near] == [("a", 2), ("b", 1)]  # the centroid is (0.5, 0.5)
    assert nearest[far] == [("b", 2), ("a", 1)]  # the centroid is (52.3, 2.3)


def test_a_word_without_clips_takes_those_of_the_nearest_word_that_has_some() -> None:
    tree = fit(np.concatenate(list(corpus().values())), 2, 1, seed=0)
    far = tree.assign(np.float32([[50, 0]]))[0]
    nearest = nearest_clips(tree, [("b", corpus()["b"][[0, 2]])], count=1)  # all of one word
    assert nearest[far] == nearest[1 - far] == [("b", 1)]


def test_pictures_are_those_of_the_nearest_clips(tmp_path) -> None:
    greys = {"a": [0, 40, 80], "b": [120, 160, 200]}
    opened = []

    def thumbnails(video_id: str) -> list[bytes]:
        opened.append(video_id)
        return [jpeg(grey) for grey in greys[video_id]]

    write_pictures(tmp_path, [[("b", 1), ("a", 0)], [], [("a", 2)]], thumbnails)
    assert opened == ["a", "b"]
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["00000.jpg", "00002.jpg"]
    assert Image.open(tmp_path / "frames/00000.jpg").getpixel((5, 5)) == (160, 160, 160)
    assert Image.open(tmp_path / "frames/00002.jpg").getpixel((5, 5)) == (80, 80, 80)
    sheet = np.asarray(Image.open(tmp_path / "contact_sheet.jpg").convert("L"))
    for grey in (160, 0, 80):
        assert np.sum(np.abs(sheet.astype(int) - grey) <= 3) > 0.8 * 64 * 64
    assert not (tmp_path / "contact_sheets").exists()


def test_a_large_vocabulary_has_pages_of_all_its_words(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "SHEET_WORDS", 2)
    shades = [jpeg(grey) for grey in (0, 50, 100, 150, 200)]
    write_pictures(tmp_path, [[("a", index)] for index in range(5)], lambda video_id: shades)
    pages = sorted((tmp_path / "contact_sheets").iterdir())
    assert [page.name for page in pages] == ["00000.jpg", "00002.jpg", "00004.jpg"]
    assert len(list((tmp_path / "frames").iterdir())) == 5
    for page, shown in zip(
        [*pages, tmp_path / "contact_sheet.jpg"], [(0, 50), (100, 150), (200,), (0, 200)], strict=True
    ):
        sheet = np.asarray(Image.open(page).convert("L")).astype(int)
        assert [grey for grey in range(0, 250, 50) if np.sum(np.abs(sheet - grey) <= 3) > 0.8 * 64 * 64] == list(shown)
