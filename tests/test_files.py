"""Atomic writes and locks."""

import errno
import pathlib
import threading
import time

import pytest

from videobert_jax import files


def test_a_file_appears_when_it_is_whole(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "new" / "file"
    with files.whole(target) as part:
        part.write_text("1")
        assert not target.exists()
    assert target.read_text() == "1"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_folder_that_was_left_half_done_is_begun_anew(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "folder"
    with pytest.raises(KeyboardInterrupt), files.whole(target) as part:
        part.mkdir()
        (part / "old").touch()
        raise KeyboardInterrupt
    assert not target.exists()
    with files.whole(target) as part:
        part.mkdir()
        (part / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "new"]


def test_a_link_costs_no_space_and_falls_back_to_a_copy(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_text("1")
    files.link(source, tmp_path / "folder" / "link")
    assert source.samefile(tmp_path / "folder" / "link")
    files.link(source, tmp_path / "folder" / "link")
    with files.whole(source) as part:
        part.write_text("1")
    files.link(source, tmp_path / "folder" / "link")
    assert source.samefile(tmp_path / "folder" / "link")  # and not what it was before

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(pathlib.Path, "hardlink_to", refuse)
    files.link(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "1"
    assert not source.samefile(tmp_path / "copy")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": ', b"\xff", None])
def test_damaged_json_is_named_with_what_to_remove(tmp_path: pathlib.Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(files.DamagedError, match=r"a\.json is damaged .*; remove made and run the same command again"):
        files.read_json(tmp_path / "a.json", pathlib.Path("made"))
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert files.read_json(tmp_path / "a.json", tmp_path) == {"a": 1}


def test_only_one_at_a_time(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with files.exclusive(tmp_path / "made"):
            order.append("second")

    other = threading.Thread(target=second)
    with files.exclusive(tmp_path / "made"):
        other.start()
        while "waiting for another process" not in capsys.readouterr().err:
            time.sleep(0.01)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
