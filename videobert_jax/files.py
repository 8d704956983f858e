"""Files and folders that are there whole or not at all, whenever the process is killed."""

import contextlib
import json
import os
import pathlib
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import filelock

from videobert_jax.errors import DamagedError


@contextlib.contextmanager
def reading(path: pathlib.Path, unit: pathlib.Path) -> Iterator[None]:
    """Turns whatever goes wrong in reading `path` into a DamagedError: without the folder `unit` it is made again."""
    try:
        yield
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DamagedError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove {unit} and run the same command again"
        ) from error


def read_json(path: pathlib.Path, unit: pathlib.Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises DamagedError."""
    with reading(path, unit):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError(f"it holds {type(content).__name__}, expected an object")
        return content


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object that is never seen half done."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: pathlib.Path, text: str, durable: bool = True) -> None:
    """Writes a text file, in UTF-8, whole or not at all; see `whole`."""
    with whole(path, durable) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def whole(target: pathlib.Path, durable: bool = True) -> Iterator[pathlib.Path]:
    """A path to write a file or a folder at; it becomes `target` if the body ends well, and is on the disk by then.

    What is not `durable` is not waited for: if the power fails, `target` may be as it was before.
    """
    part = target.with_name(f".{target.name}.part")
    if part.is_dir():  # left by a killed process
        shutil.rmtree(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    yield part
    if durable:
        for path in (*part.rglob("*"), part):
            _flush(path)
    part.replace(target)
    if durable:
        _flush(target.parent)


def remove(target: pathlib.Path) -> None:
    """Removes the folder that `whole` made, if it is there; if killed, it is gone or can be removed again."""
    part = target.with_name(f".{target.name}.part")
    if part.exists():
        shutil.rmtree(part)
    if target.exists():
        target.replace(part)
        shutil.rmtree(part)


def _flush(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a file or a folder, whole or not at all; once it is there it stays."""
    if target.exists():
        return
    with whole(target) as part:
        if source.is_dir():
            shutil.copytree(source, part)
        else:
            shutil.copyfile(source, part)


def link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Makes `target` the same file as `source`, or a copy where the file system has no hard links."""
    if target.exists() and target.samefile(source):
        return
    target.unlink(missing_ok=True)  # of a source that has been made again since
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        with whole(target) as part:
            shutil.copyfile(source, part)


@contextlib.contextmanager
def exclusive(directory: pathlib.Path) -> Iterator[None]:
    """Only one process at a time gets to work on `directory`; the others wait, until that one ends or is killed."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory.parent / f".{directory.name}.lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        print(f"waiting for another process that is making {directory}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
