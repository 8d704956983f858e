"""The folder of a run: self-describing, and of one config only. No JAX here: a program can ask before it loads it."""

import contextlib
import dataclasses
import errno
import filecmp
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import filelock
from absl import logging

from videobert_jax import config as config_lib
from videobert_jax.config import Config
from videobert_jax.data.prepared import Lexicon, Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.files import whole, write_text

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


@dataclasses.dataclass(frozen=True)
class Workdir(Lexicon):
    """The folder of a run: no other file spells its paths. It holds copies of what the ids of its model mean."""

    @property
    def config_file(self) -> pathlib.Path:
        """The resolved config."""
        return self.folder / "config.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        """The saved train states, a folder for each step; see `checkpoints.py`."""
        return self.folder / "checkpoints"

    @property
    def metrics(self) -> pathlib.Path:
        """A line of JSON for each logged step; see `reporting/writers.py`."""
        return self.folder / "metrics.jsonl"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The same for TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def goodput(self) -> pathlib.Path:
        """The seconds of every phase of every start; see `reporting/goodput.py`."""
        return self.folder / "goodput.json"

    @property
    def profile(self) -> pathlib.Path:
        """Traces of steps; see `reporting/profiling.py`."""
        return self.folder / "profile"

    @property
    def non_finite(self) -> pathlib.Path:
        """What is known about a step that was not finite; see `reporting/non_finite.py`."""
        return self.folder / "non_finite.json"

    @property
    def processes(self) -> pathlib.Path:
        """How far each process is; see `hosts/watchdog.py`."""
        return self.folder / "processes"

    @property
    def page(self) -> pathlib.Path:
        """The report to look at."""
        return self.folder / "report" / "index.html"

    def evaluation(self, name: str) -> pathlib.Path:
        """The result of an evaluator."""
        return self.folder / "evaluation" / f"{name}.json"

    @property
    def _prepared_file(self) -> pathlib.Path:
        return self.folder / "prepared.txt"

    def check(self, config: Config) -> None:
        """Makes the folder, if it is not there, and finds out whether a run with this config can use it.

        Raises OSError if nothing can be written there, and ConfigError, naming each key, if it holds a run whose config
        leads to another result; one without a checkpoint has no result yet.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            problem = f"cannot write to the workdir ({error.strerror}); name another with --workdir=DIR"
            raise type(error)(error.errno, problem, str(self.folder)) from error
        changed = {key: values for key, values in self._changes(config).items() if not _may_change(key)}
        if changed:
            differences = "; ".join(f"{key} was {before!r}, is {now!r}" for key, (before, now) in changed.items())
            raise ConfigError(
                f"{self.folder} holds a run with another config: {differences}. Choose another --workdir, or restore "
                "those values; to go on all the same, knowing that no single config describes the result, remove its "
                f"{self.config_file.name}"
            )

    def open(self, config: Config, prepared: Prepared, writing: bool = True) -> None:
        """Checks the folder, and puts into it the config and what the token ids mean.

        Raises as `check` does, and ConfigError if the folder holds a run with other tokens. Without `writing`, as in
        all processes but one, it only checks.
        """
        self.check(config)
        begun = self.has_begun()
        for mine, theirs in zip(self.defining, prepared.defining, strict=True):
            if begun and mine.exists() and not filecmp.cmp(mine, theirs, shallow=False):
                raise ConfigError(
                    f"{self.folder} was trained with another {mine.name} than that of {prepared.folder}: its "
                    "checkpoints do not fit. Choose another --workdir, or name the data that it was made with"
                )
        if "steps" in (changes := self._changes(config)):
            logging.warning(
                "steps was %s, is %s: from here on the learning rate follows the new one", *changes["steps"]
            )
        if writing:
            for mine, theirs in zip(self.copied, prepared.copied, strict=True):
                if not begun:
                    _remove(mine)
                _copy(theirs, mine)
            write_text(self._prepared_file, f"{prepared.folder.resolve()}\n")
            write_text(self.config_file, config_lib.to_json(config))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other programs out of the folder while the body works there, and explains a full disk.

        Raises BlockingIOError at once if another program is at work; it may be several processes, of which one calls
        this.
        """
        lock = filelock.FileLock(self.folder / ".lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            advice = "another program is at work in the workdir; choose another --workdir"
            raise BlockingIOError(errno.EWOULDBLOCK, advice, str(self.folder)) from None
        try:
            yield
        except (OSError, ValueError) as error:  # TensorStore raises ValueError
            if os.strerror(errno.ENOSPC) not in str(error):
                raise
            advice = "the disk of the workdir is full; what was saved is kept: make room and run the same command again"
            raise OSError(errno.ENOSPC, advice, str(self.folder)) from error
        finally:
            lock.release()

    def prepared(self) -> Prepared:
        """The prepared folder that the run reads. Raises FileNotFoundError if either is not there."""
        try:
            prepared = Prepared(pathlib.Path(self._prepared_file.read_text(encoding="utf-8").rstrip("\n")))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.folder} is not the folder of a run: it has no {self._prepared_file.name}"
            ) from None
        if not prepared.records.exists():
            raise FileNotFoundError(
                f"the data of {self.folder} are not in {prepared.folder} any more; launch/main.py with its config "
                "prepares them again"
            )
        return prepared

    def require(self) -> None:
        """Raises FileNotFoundError unless this is the folder of a run."""
        for file in (self.config_file, self.tokens_file):
            if not file.exists():
                raise FileNotFoundError(f"{self.folder} is not the folder of a run: it has no {file.name}")

    def has_begun(self) -> bool:
        """Whether there is a checkpoint, and so a result that depends on the config."""
        return any(self.checkpoints.glob("*"))

    def _changes(self, config: Config) -> dict[str, tuple[Any, Any]]:
        """The keys whose values differ between the run, if there is one, and `config`: before and now."""
        path = self.config_file
        if not path.exists() or not self.has_begun():
            return {}
        try:
            before = _flat(json.loads(path.read_text()))
        except (ValueError, AttributeError) as error:
            raise ConfigError(
                f"{path} is damaged ({error}); remove it to go on with the config of this command"
            ) from error
        now = config_lib.flat(config)
        pairs = {key: (before.get(key), now.get(key)) for key in sorted(before | now)}
        return {key: values for key, values in pairs.items() if values[0] != values[1]}


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
    with whole(target) as part:
        if source.is_dir():
            shutil.copytree(source, part)
        else:
            shutil.copyfile(source, part)
