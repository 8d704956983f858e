"""The folder of a run: self-describing, and of one config only. No JAX here: a program can ask before it loads it."""

import contextlib
import errno
import fcntl
import filecmp
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from absl import logging

from videobert_jax import config as config_lib
from videobert_jax.config import Config
from videobert_jax.errors import ConfigError

# What may differ when a run is resumed: where and how it is executed, how long, and what is shown of it. With other
# `steps` the learning rate follows the new schedule from there on, so the run is not the one that was never stopped.
MAY_CHANGE = (
    "steps",
    "log_every",
    "mesh",
    "checkpoint",
    "evaluation",
    "optimizer.accumulation",
    "model.attention",
    "model.remat",
    "model.unroll",
    "data.cache",
    "data.read_threads",
    "data.prefetch",
    "prepare.workers",
)
COPIED = ("tokens.json", "tokenizer", "vocabulary")  # from the prepared folder: what the ids mean
MEANING = ("tokens.json", "tokenizer/tokenizer.json", "vocabulary/tree.npz")  # the files of these that must not change
PREPARED = "prepared.txt"  # where the prepared folder is


def check(config: Config, workdir: pathlib.Path) -> None:
    """Makes the folder of a run, if it is not there, and finds out whether a run with this config can use it.

    Raises OSError if nothing can be written there, and ConfigError, naming each key, if it holds a run whose config
    leads to another result; one without a checkpoint has no result yet.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        problem = f"cannot write to the workdir ({error.strerror}); name another with --workdir=DIR"
        raise type(error)(error.errno, problem, str(workdir)) from error
    changed = {key: values for key, values in _changes(config, workdir).items() if not _may_change(key)}
    if changed:
        differences = "; ".join(f"{key} was {before!r}, is {now!r}" for key, (before, now) in changed.items())
        raise ConfigError(
            f"{workdir} holds a run with another config: {differences}. Choose another --workdir, or restore those "
            f"values; to go on all the same, knowing that no single config describes the result, remove its config.json"
        )


def open_workdir(config: Config, workdir: pathlib.Path, prepared: pathlib.Path, writing: bool = True) -> None:
    """Checks the folder of a run, and puts into it the config and what the token ids mean.

    Raises as `check` does, and ConfigError if the folder holds a run with other tokens. Without `writing`, as in all
    processes but one, it only checks.
    """
    check(config, workdir)
    begun = _has_begun(workdir)
    for name in MEANING:
        if begun and (workdir / name).exists() and not filecmp.cmp(workdir / name, prepared / name, shallow=False):
            raise ConfigError(
                f"{workdir} was trained with another {name} than that of {prepared}: its checkpoints do not fit. "
                "Choose another --workdir, or name the data that it was made with"
            )
    if "steps" in (changes := _changes(config, workdir)):
        logging.warning("steps was %s, is %s: from here on the learning rate follows the new one", *changes["steps"])
    if writing:
        for name in COPIED:
            if not begun:
                _remove(workdir / name)
            _copy(prepared / name, workdir / name)
        (workdir / PREPARED).write_text(f"{prepared.resolve()}\n", encoding="utf-8")
        config_lib.save(config, workdir / "config.json.new")
        (workdir / "config.json.new").replace(workdir / "config.json")


@contextlib.contextmanager
def working_in(workdir: pathlib.Path) -> Iterator[None]:
    """Keeps other programs out of `workdir` while the body works there, and explains a full disk.

    Raises BlockingIOError at once if another program is at work; it may be several processes, of which one calls this.
    """
    with (workdir / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            advice = "another program is at work in the workdir; choose another --workdir"
            raise BlockingIOError(errno.EWOULDBLOCK, advice, str(workdir)) from None
        try:
            yield
        except (OSError, ValueError) as error:  # TensorStore raises ValueError
            if os.strerror(errno.ENOSPC) not in str(error):
                raise
            advice = "the disk of the workdir is full; what was saved is kept: make room and run the same command again"
            raise OSError(errno.ENOSPC, advice, str(workdir)) from error


def prepared_of(workdir: pathlib.Path) -> pathlib.Path:
    """The prepared folder that the run in `workdir` reads. Raises FileNotFoundError if either is not there."""
    try:
        prepared = pathlib.Path((workdir / PREPARED).read_text(encoding="utf-8").rstrip("\n"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{workdir} is not the folder of a run: it has no {PREPARED}") from None
    if not (prepared / "records").exists():
        raise FileNotFoundError(
            f"the data of {workdir} are not in {prepared} any more; launch/main.py with its config prepares them again"
        )
    return prepared


def _changes(config: Config, workdir: pathlib.Path) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ between the run in `workdir`, if there is one, and `config`: before and now."""
    path = workdir / "config.json"
    if not path.exists() or not _has_begun(workdir):
        return {}
    try:
        before = _flat(json.loads(path.read_text()))
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); remove it to go on with the config of this command") from error
    now = config_lib.flat(config)
    pairs = {key: (before.get(key), now.get(key)) for key in sorted(before | now)}
    return {key: values for key, values in pairs.items() if values[0] != values[1]}


def _has_begun(workdir: pathlib.Path) -> bool:
    return any((workdir / "checkpoints").glob("*"))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _may_change(key: str) -> bool:
    return any(key == allowed or key.startswith(allowed + ".") for allowed in MAY_CHANGE)


def _remove(path: pathlib.Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a file or a folder, whole or not at all; once it is there it stays."""
    if target.exists():
        return
    new = target.with_name(target.name + ".new")
    if source.is_dir():
        shutil.copytree(source, new, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, new)
    new.replace(target)
