"""Feature files from other sources, intact and broken."""

import io
import pathlib
import re
import struct
import zipfile

import numpy as np
import pytest

from videobert_jax.backbones import REGISTRY, ForeignBackbone
from videobert_jax.config import PrepareConfig
from videobert_jax.errors import VideoError
from videobert_jax.prepare.factors import factors
from videobert_jax.prepare.scan import scan
from videobert_jax.video import feature_files, features
from videobert_jax.video.feature_files import read_clips, shape

ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)


def stored(path: pathlib.Path, array: np.ndarray) -> pathlib.Path:
    """A file with one array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez_compressed(path, array)
    else:
        np.save(path, array)
    return path


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """The start of an .npy file with the header `text`."""
    return np.lib.format.magic(*version) + struct.pack("<H" if version == (1, 0) else "<I", len(text)) + text.encode()


def refusal(path: pathlib.Path, clip_frames: int = 1) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        read_clips(path, clip_frames)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.npy", "a.NPY", "a.npz"])
@pytest.mark.parametrize("dtype", ["float16", "<f4", ">f4", "float64"])
def test_rows_of_any_float_in_any_order_become_clips(tmp_path: pathlib.Path, name: str, dtype: str) -> None:
    path = stored(tmp_path / name.lower(), np.asfortranarray(ROWS.astype(dtype))).rename(tmp_path / name)
    assert shape(path) == (7, 2)
    clips = read_clips(path, 3)
    assert clips.dtype == np.float32
    np.testing.assert_array_equal(clips, ROWS[:6].reshape(2, 3, 2))
    np.testing.assert_array_equal(read_clips(path, 1), ROWS[:, None])


def test_of_several_arrays_it_is_the_one_named_features(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "a.npz", before=ROWS * 2, features=ROWS, names=np.array(["text"], object))
    np.testing.assert_array_equal(read_clips(tmp_path / "a.npz", 1)[:, 0], ROWS)
    np.savez(tmp_path / "b.npz", slow=ROWS, fast=ROWS)
    assert refusal(tmp_path / "b.npz") == "2 arrays (fast, slow), expected one, or one named 'features'"
    np.savez(tmp_path / "c.npz")
    assert refusal(tmp_path / "c.npz") == "0 arrays (), expected one, or one named 'features'"


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (ROWS[0], "an array [2], expected [rows, size]"),
        (ROWS[None], "an array [1, 7, 2], expected [rows, size]"),
        (ROWS[:0], "an array [0, 2], expected [rows, size]"),
        (ROWS[:, :0], "an array [7, 0], expected [rows, size]"),
        (ROWS.astype(np.int64), "dtype int64, expected float16 or float32 or float64"),
        (ROWS.astype(complex), "dtype complex128, expected float16 or float32 or float64"),
        (ROWS.astype(object), "holds Python objects, expected float16 or float32 or float64"),
        (np.zeros((7, 2), "f4,f4"), "dtype [('f0', '<f4'), ('f1', '<f4')], expected float16 or float32 or float64"),
    ],
)
def test_the_header_alone_tells_what_is_no_table_of_floats(
    tmp_path: pathlib.Path, suffix: str, array: np.ndarray, reason: str
) -> None:
    path = stored(tmp_path / f"a{suffix}", array)
    assert refusal(path) == reason
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        shape(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_named(tmp_path: pathlib.Path, value: float) -> None:
    rows = ROWS.copy()
    rows[4, 1] = value
    path = stored(tmp_path / "a.npy", rows)
    assert shape(path) == (7, 2)
    assert refusal(path) == "row 4 holds NaN or infinity"


def test_what_float16_cannot_hold_is_refused(tmp_path: pathlib.Path) -> None:
    np.testing.assert_array_equal(read_clips(stored(tmp_path / "a.npy", ROWS * -5038), 7)[0], ROWS * -5038)
    assert refusal(stored(tmp_path / "b.npy", ROWS * -5039)).startswith(
        "holds a value of 65507, expected at most 65504"
    )


def test_fewer_rows_than_a_clip_takes(tmp_path: pathlib.Path) -> None:
    assert read_clips(stored(tmp_path / "a.npy", ROWS), 7).shape == (1, 7, 2)
    assert refusal(tmp_path / "a.npy", 8) == "too short: 7 rows, a clip needs 8"


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.8, 0.99])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_truncated_files(tmp_path: pathlib.Path, suffix: str, share: float) -> None:
    path = stored(tmp_path / f"a{suffix}", np.ones((40, 8), np.float32))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refusal(path)
    with pytest.raises(ValueError, match=r"\S"):
        shape(path)


def test_a_truncated_array_is_not_waited_for_nor_given_memory(tmp_path: pathlib.Path) -> None:
    """The header claims 8 TB."""
    claim = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000), }\n")
    (tmp_path / "a.npy").write_bytes(claim + bytes(64))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", claim + bytes(64))
    for name in ("a.npy", "a.npz"):
        assert refusal(tmp_path / name) == "truncated: 64 bytes of 8000000000000"


@pytest.mark.parametrize(
    "content",
    [
        b"not an array",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -2)}") + bytes(64),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (7, 'two')}") + bytes(64),
        header("{'descr': 'what', 'fortran_order': False, 'shape': (7, 2)}") + bytes(64),
        header("{'shape': (7, 2)}") + bytes(64),
        header("('''") + bytes(64),
        header("   x\n  y") + bytes(64),
        header("-" * 9000 + "1", (2, 0)) + bytes(64),
        header("(" * 9000, (2, 0)) + bytes(64),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (7, 2)}", (3, 0)) + bytes(64),
        header("{}", (9, 0)) + bytes(64),
    ],
)
def test_nonsense_is_a_reason_and_nothing_worse(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    refusal(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", content)
    refusal(tmp_path / "a.npz")


def test_flipped_bytes_give_a_reason_or_rows(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for suffix in (".npy", ".npz"):
        path = stored(tmp_path / f"a{suffix}", rng.normal(size=(20, 4)).astype(np.float32))
        whole = path.read_bytes()
        for _ in range(100):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), rng.integers(1, 4)):
                data[place] ^= 1 << rng.integers(0, 8)
            path.write_bytes(data)
            try:
                assert np.isfinite(read_clips(path, 1)).all()
            except (ValueError, OSError) as error:  # an offset before the start of the file is the latter
                assert str(error)


def test_nothing_is_unpickled(tmp_path: pathlib.Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pathlib.Path.touch, (tmp_path / "sprung",)

    buffer = io.BytesIO()
    np.save(buffer, np.array([[Trap()]], object), allow_pickle=True)
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    refusal(tmp_path / "a.npy")
    assert not (tmp_path / "sprung").exists()


def test_the_size_of_a_row_is_that_of_most_files(tmp_path: pathlib.Path) -> None:
    assert feature_files.common_size([3, 2, 2]) == 2
    assert feature_files.common_size([3, 2, 2, 3]) == 3
    assert feature_files.common_size([]) is None
    for name, size in (("x/a", 3), ("b", 2), ("c", 2)):
        stored(tmp_path / f"{name}.npy", np.ones((4, size), np.float32))
    found = scan(tmp_path, features=True)
    assert [source.video_id for source in found.sources] == ["b", "c"]
    reasons = {problem.item: problem.reason for problem in found.problems if "transcript" not in problem.reason}
    assert reasons == {"x/a.npy": "rows of 3 values, and most files have 2"}
    stored(tmp_path / "d.npz", np.ones((4, 3), np.float32))
    assert [source.video_id for source in scan(tmp_path, features=True).sources] == ["a", "d"], (
        "the first by id decides"
    )


def test_features_are_found_as_videos_are(tmp_path: pathlib.Path) -> None:
    for name in ("a.npz", "b.npy", "x/c.npy", "x/b.npy", "video of its own.npy"):
        stored(tmp_path / name, ROWS)
    stored(tmp_path / "d.npy", ROWS.astype(int))
    for name in ("a.mp4", "a.en.vtt", "b.csv", "x/c.srt", "d.vtt"):
        (tmp_path / name).write_bytes(b"x")
    found = scan(tmp_path, features=True)
    assert [(source.video.name, source.transcript and source.transcript.name) for source in found.sources] == [
        ("a.npz", "a.en.vtt"),
        ("b.npy", "b.csv"),
        ("c.npy", "c.srt"),
        ("video of its own.npy", None),
    ]
    assert [(problem.item, problem.reason) for problem in found.problems] == [
        ("d.npy", "dtype int64, expected float16 or float32 or float64"),
        ("d.vtt", "transcript without a video"),
        ("video of its own.npy", "video without a transcript: used for video-only examples"),
        ("x/b.npy", "another video has the same id 'b': b.npy"),
    ]
    assert [source.video.name for source in scan(tmp_path).sources] == ["a.mp4"]


def test_a_folder_without_usable_features_says_why(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(FileNotFoundError, match=r"holds no features; expected files that end in \.npy, \.npz$"):
        scan(tmp_path, features=True)
    stored(tmp_path / "b.npy", ROWS[0])
    with pytest.raises(FileNotFoundError, match=r"\.npz; b\.npy: an array \[2\], expected \[rows, size\]$"):
        scan(tmp_path, features=True)


def test_the_backbone_has_the_name_that_the_reader_goes_by() -> None:
    assert isinstance(REGISTRY[feature_files.BACKBONE], ForeignBackbone)


def test_the_feature_of_a_clip_is_the_mean_of_its_rows(tmp_path: pathlib.Path) -> None:
    path = stored(tmp_path / "a.npy", ROWS)
    pooled = features.features_of(path, PrepareConfig(backbone="precomputed", clip_frames=2))
    assert pooled.features.dtype == np.float16
    np.testing.assert_array_equal(pooled.features, [[1, 2], [5, 6], [9, 10]])
    assert len(pooled.thumbnails) == 3
    single = features.features_of(path, PrepareConfig(backbone="precomputed", clip_frames=1))
    np.testing.assert_array_equal(single.features, ROWS)
    assert factors(PrepareConfig(backbone="precomputed")) == ()


def test_a_file_that_cannot_be_used_is_refused_as_a_video_is(tmp_path: pathlib.Path) -> None:
    path = stored(tmp_path / "a.npy", ROWS * np.nan)
    with pytest.raises(VideoError, match="row 0 holds NaN"):
        features.features_of(path, PrepareConfig(backbone="precomputed", clip_frames=1))
