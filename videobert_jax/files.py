"""Atomic writes: a file or folder exists complete or not at all, even if the process is killed."""

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
    """Converts errors while reading `path` to DamagedError, which asks to remove `unit` so that it is made again."""
    try:
        yield
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DamagedError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove {unit} and run the same command again"
        ) from error


def read_json(path: pathlib.Path, unit: pathlib.Path) -> dict[str, Any]:
    """Reads a JSON object. Raises DamagedError."""
    with reading(path, unit):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError(f"it holds {type(content).__name__}, expected an object")
        return content


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object atomically."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: pathlib.Path, text: str, durable: bool = True) -> None:
    """Writes a UTF-8 text file atomically; see `whole`."""
    with whole(path, durable) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def whole(target: pathlib.Path, durable: bool = True) -> Iterator[pathlib.Path]:
    """Yields a temporary path for a file or folder; moves it to `target` if the body succeeds.

    `durable` flushes it to disk first; otherwise a power failure may leave `target` in its old state.
    """
    part = target.with_name(f".{target.name}.part")
    if part.is_dir():  # left behind by a killed process
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
    """Removes a folder made by `whole`, if it exists; an interrupted call can be repeated."""
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
    """Makes `target` a hard link to `source`, or a copy if the file system has no hard links."""
    if target.exists() and target.samefile(source):
        return
    target.unlink(missing_ok=True)  # a link to an earlier version of the source
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        with whole(target) as part:
            shutil.copyfile(source, part)


@contextlib.contextmanager
def exclusive(directory: pathlib.Path) -> Iterator[None]:
    """Locks `directory`: other processes wait until the holder ends or is killed."""
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
