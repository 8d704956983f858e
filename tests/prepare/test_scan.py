"""Finding videos and their transcripts in realistic folders."""

import os
import pathlib

import pytest

from videobert_jax.prepare.scan import CACHE_TAG, fingerprint, scan, transcript_beside


def folder(tmp_path: pathlib.Path, *names: str) -> pathlib.Path:
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_videos_of_any_container_anywhere_below(tmp_path: pathlib.Path) -> None:
    found = scan(
        folder(tmp_path, "b.MKV", "b.vtt", "x/y/a.webm", "x/y/a.srt", "notes.txt", ".hidden.mp4", "x/.c/d.mp4")
    )
    assert [source.video_id for source in found.sources] == ["a", "b"]
    assert [source.transcript and source.transcript.name for source in found.sources] == ["a.srt", "b.vtt"]
    assert found.problems == ()
    assert found.annotations is None


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["v.srt", "v.vtt"], "v.vtt"),
        (["v.en.vtt", "v.srt"], "v.srt"),
        (["v.de.vtt", "v.en.srt"], "v.en.srt"),
        (["v.en-US.vtt", "v.de.vtt"], "v.en-US.vtt"),
        (["v.de.vtt"], "v.de.vtt"),
        (["v.1.vtt"], None),
    ],
)
def test_the_best_transcript_of_a_video(tmp_path: pathlib.Path, names: list[str], chosen: str | None) -> None:
    (source,) = scan(folder(tmp_path, "v.mp4", *names)).sources
    assert (source.transcript and source.transcript.name) == chosen


def test_names_with_dots(tmp_path: pathlib.Path) -> None:
    found = scan(folder(tmp_path, "how to v1.2.mp4", "how to v1.2.vtt", "how to v1.2.en.vtt"))
    assert [source.video_id for source in found.sources] == ["how to v1.2"]
    assert found.problems == ()


def test_what_does_not_match_is_reported(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link.mp4").symlink_to("nothing.mp4")
    found = scan(folder(tmp_path, "a.mp4", "a.vtt", "b.mp4", "c.vtt", "0/a.mp4", "0/b.vtt"))
    assert [(problem.item, problem.reason) for problem in found.problems] == [
        ("0/a.mp4", "another video has the same id 'a': a.mp4"),
        ("0/b.vtt", "transcript without a video"),
        ("b.mp4", "video without a transcript: used for video-only examples"),
        ("c.vtt", "transcript without a video"),
        ("link.mp4", "a broken link"),
    ]
    assert len(found.sources) == 2


def test_names_that_cannot_be_used_are_reported(tmp_path: pathlib.Path) -> None:
    folder(tmp_path, "a.mp4", "a.vtt", f"{'L' * 241}.mp4", f"{'M' * 240}.mp4", f"{'é' * 120}.mkv")
    pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff.mp4")).touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    found = scan(tmp_path)
    assert [source.video_id for source in found.sources] == ["M" * 240, "a", "é" * 120]
    reasons = {problem.item: problem.reason for problem in found.problems if "without" not in problem.reason[:20]}
    assert reasons == {
        f"{'L' * 241}.mp4": "its name is too long; expected at most 240 bytes without the suffix",
        "odd\\xff.mp4": "its name is not UTF-8; rename it",
        "pipe.mp4": "not a file but a pipe, a socket or a device",
    }


def test_links_that_lead_round_are_followed_once(tmp_path: pathlib.Path) -> None:
    folder(tmp_path, "one/v.mp4", "one/v.vtt")
    for name in ("a", "b", "one/c"):
        (tmp_path / name).symlink_to(tmp_path)
    (tmp_path / "0").symlink_to("one")
    found = scan(tmp_path)
    assert [source.video for source in found.sources] == [tmp_path / "one" / "v.mp4"]
    assert found.problems == ()


def test_nothing_to_prepare_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*--config\.data\.videos"):
        scan(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"holds no videos; expected files that end in \.mp4"):
        scan(folder(tmp_path, "a.vtt"))


def test_a_fingerprint_tells_changes(tmp_path: pathlib.Path) -> None:
    path = folder(tmp_path, "a.mp4") / "a.mp4"
    before = fingerprint([path, None])
    assert fingerprint([path]) == before
    os.utime(path, ns=(0, 0))
    assert fingerprint([path]) != before


def test_transcripts_of_other_formats_lie_beside_videos(tmp_path: pathlib.Path) -> None:
    names = ["a.en.json3", "a.csv", "b.json3", "b.vtt", "c.csv", "HowTo100M_v1.csv", "z.json3"]
    found = scan(folder(tmp_path, "a.mp4", "b.mp4", "c.mp4", *names))
    assert [source.transcript and source.transcript.name for source in found.sources] == ["a.csv", "b.vtt", "c.csv"]
    assert [problem.item for problem in found.problems] == ["z.json3"]  # of a table nobody can tell what it is about


def test_transcripts_may_lie_in_a_folder_of_their_own(tmp_path: pathlib.Path) -> None:
    videos = folder(tmp_path / "videos", "x/a.mp4", "b.mkv", "b.srt", "c.mp4", "d.mp4")
    elsewhere = folder(
        tmp_path / "captions", "a.csv", "a.en.vtt", "b.csv", "c.en-US.json3", "of no video.csv", "x/d.csv"
    )
    found = scan(videos, transcripts=elsewhere)
    assert [source.transcript and source.transcript.name for source in found.sources] == [
        "a.csv",
        "b.srt",
        "c.en-US.json3",
        None,
    ]
    assert [problem.item for problem in found.problems] == ["d.mp4"]
    assert found.transcripts is None


def test_one_file_may_hold_all_transcripts(tmp_path: pathlib.Path) -> None:
    videos = folder(tmp_path / "videos", "a.mp4", "b.mp4", "b.vtt", "annotations.json")
    captions = folder(tmp_path, "caption.json") / "caption.json"
    truth = folder(tmp_path, "train.json") / "train.json"
    found = scan(videos, captions, truth)
    assert (found.transcripts, found.annotations, found.problems) == (captions, truth, ())
    assert scan(videos, annotations=tmp_path).annotations == tmp_path
    assert scan(videos).annotations == videos / "annotations.json"


@pytest.mark.parametrize("option", ["transcripts", "annotations"])
def test_what_is_named_must_be_there(tmp_path: pathlib.Path, option: str) -> None:
    path = folder(tmp_path, "a.mp4") / "none"
    with pytest.raises(FileNotFoundError, match=rf"there is no .*none; .*--config\.data\.{option}"):
        scan(tmp_path, **{option: path})


def test_a_folder_of_features_is_told_how_to_be_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.npy").touch()
    with pytest.raises(FileNotFoundError, match=r"holds no videos.*set --config\.prepare\.backbone=precomputed"):
        scan(tmp_path)


def test_a_cache_among_the_videos_is_passed_over(tmp_path: pathlib.Path) -> None:
    for name in ("a.mp4", "cache/kitchen/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "cache" / CACHE_TAG).touch()
    assert [source.video_id for source in scan(tmp_path).sources] == ["a"]
    assert [source.video_id for source in scan(tmp_path / "cache" / "kitchen").sources] == ["b"]


def test_a_collection_without_transcripts_has_one_problem(tmp_path: pathlib.Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.mp4").touch()
    (problem,) = scan(tmp_path).problems
    assert (problem.item, problem.reason) == ("all 3 videos", "without a transcript: used for video-only examples")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], None),
        (["v.srt", "v.vtt", "w.vtt"], "v.vtt"),
        (["v.de.vtt", "v.en.srt"], "v.en.srt"),
        (["v.en.vtt", "v.en.mp4"], None),  # that of the other video
        (["v.en.vtt", "v.en.npy"], "v.en.vtt"),
        (["v.1.vtt", ".v.vtt", "x/v.vtt"], None),
    ],
)
def test_one_video_has_the_transcript_that_a_scan_finds(
    tmp_path: pathlib.Path, names: list[str], chosen: str | None
) -> None:
    sources = {source.video_id: source for source in scan(folder(tmp_path, "v.mp4", *names)).sources}
    found = transcript_beside(tmp_path / "v.mp4")
    assert found == sources["v"].transcript
    assert (found and found.name) == chosen


def test_the_transcript_of_one_file_of_features(tmp_path: pathlib.Path) -> None:
    folder(tmp_path, "v.npy", "v.en.vtt", "v.en.mp4")
    assert transcript_beside(tmp_path / "v.npy") == tmp_path / "v.en.vtt"
    (tmp_path / "v.en.npz").touch()
    assert transcript_beside(tmp_path / "v.npy") is None


def test_a_link_to_nothing_is_no_transcript(tmp_path: pathlib.Path) -> None:
    folder(tmp_path, "v.mp4", "v.srt")
    (tmp_path / "v.vtt").symlink_to("nothing.vtt")
    assert transcript_beside(tmp_path / "v.mp4") == tmp_path / "v.srt"
