"""The folder of a run: self-describing, and bound to one config. Does not import JAX, so that checks are fast."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import filelock
from absl import logging

from videobert_jax import config as config_lib
from videobert_jax.config import Config
from videobert_jax.data.prepared import Lexicon, Prepared
from videobert_jax.errors import ConfigError, MissingError
from videobert_jax.files import copy, write_text


@dataclasses.dataclass(frozen=True)
class Workdir(Lexicon):
    """The paths in the folder of a run, which has copies of the files that define the model's token ids."""

    @property
    def config_file(self) -> pathlib.Path:
        """The resolved config."""
        return self.folder / "config.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        """The saved train states, one folder per step; see `checkpoints.py`."""
        return self.folder / "checkpoints"

    @property
    def metrics(self) -> pathlib.Path:
        """One JSON object per logged step; see `reporting/writers.py`."""
        return self.folder / "metrics.jsonl"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The same metrics for TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def goodput(self) -> pathlib.Path:
        """The seconds of each phase of each start; see `reporting/goodput.py`."""
        return self.folder / "goodput.json"

    @property
    def profile(self) -> pathlib.Path:
        """Profiler traces; see `reporting/profiling.py`."""
        return self.folder / "profile"

    @property
    def non_finite(self) -> pathlib.Path:
        """The report of a non-finite step; see `reporting/non_finite.py`."""
        return self.folder / "non_finite.json"

    @property
    def processes(self) -> pathlib.Path:
        """The progress of each process; see `hosts/watchdog.py`."""
        return self.folder / "processes"

    @property
    def page(self) -> pathlib.Path:
        """The HTML report."""
        return self.folder / "report" / "index.html"

    def evaluation(self, name: str) -> pathlib.Path:
        """The result of an evaluator."""
        return self.folder / "evaluation" / f"{name}.json"

    @property
    def _prepared_file(self) -> pathlib.Path:
        return self.folder / "prepared.txt"

    def completed(self, config: Config) -> Config:
        """The config with what followed from the data when the run began, such as the names of classes."""
        if not self.config_file.exists() or not self.has_begun():
            return config
        before = config_lib.load(self.config_file).task
        if type(before) is not type(config.task):
            return config  # which `check` refuses
        return dataclasses.replace(config, task=config.task.completed(before))

    def check(self, config: Config) -> None:
        """Checks that a run with this config can use the folder, which need not exist, and changes nothing.

        Raises OSError if the folder is not writable, and ConfigError, naming each key, if it holds a run with a
        checkpoint whose config leads to another result.
        """
        try:
            existing = next(folder for folder in (self.folder, *self.folder.absolute().parents) if folder.exists())
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            problem = f"cannot write to the workdir ({error.strerror}); name another with --workdir=DIR"
            raise type(error)(error.errno, problem, str(self.folder)) from error
        changed = [change for change in self._changes(config) if not change.may_change]
        if changed:
            differences = "; ".join(f"{change.key} was {change.before!r}, is {change.now!r}" for change in changed)
            raise ConfigError(
                f"{self.folder} holds a run with another config: {differences}. Choose another --workdir, or restore "
                "those values; to continue anyway, with a result that no single config describes, remove its "
                f"{self.config_file.name}"
            )

    def open(self, config: Config, prepared: Prepared, writing: bool = True) -> None:
        """Checks the folder, makes it, and writes the config and the files that define the token ids into it.

        Raises as `check` does, and ConfigError if the folder holds a run with other tokens. Without `writing`, as in
        all processes except the first, only checks.
        """
        self.check(config)
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = self.has_begun()
        for mine, theirs in self.counterparts(prepared):
            if begun and mine.exists() and not self.matches(mine, theirs):
                raise ConfigError(
                    f"{self.folder} was trained with another {mine.name} than that of {prepared.folder}: its "
                    "checkpoints do not fit. Choose another --workdir, or use the data it was trained on"
                )
        for change in self._changes(config):
            if change.key == "steps":
                logging.warning(
                    "steps was %s, is %s: from now on the learning rate follows the new one",
                    change.before,
                    change.now,
                )
        if writing:
            for mine, theirs in zip(self.copied, prepared.copied, strict=True):
                if not begun:
                    _remove(mine)
                copy(theirs, mine)
            write_text(self._prepared_file, f"{prepared.folder.resolve()}\n")
            write_text(self.config_file, config_lib.to_json(config))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds an exclusive lock on the folder. Raises BlockingIOError at once if another program holds it.

        Of several processes of a run, one calls this. Turns errors of a full disk into an OSError that says so.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / ".lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            advice = "another program is using the workdir; choose another --workdir"
            raise BlockingIOError(errno.EWOULDBLOCK, advice, str(self.folder)) from None
        try:
            yield
        except (OSError, ValueError) as error:  # TensorStore raises ValueError
            if os.strerror(errno.ENOSPC) not in str(error):
                raise
            advice = "the disk of the workdir is full; saved checkpoints are kept: free space and run the same command"
            raise OSError(errno.ENOSPC, advice, str(self.folder)) from error
        finally:
            lock.release()

    def prepared(self) -> Prepared:
        """The prepared folder that the run reads. Raises MissingError if it, or the run, does not exist."""
        try:
            prepared = Prepared(pathlib.Path(self._prepared_file.read_text(encoding="utf-8").rstrip("\n")))
        except FileNotFoundError:
            raise MissingError(
                f"{self.folder} is not the folder of a run: it has no {self._prepared_file.name}"
            ) from None
        if not prepared.records.exists():
            raise MissingError(
                f"the data of {self.folder} is no longer in {prepared.folder}; run launch/main.py with the same "
                "config to prepare it again"
            )
        return prepared

    def require(self) -> None:
        """Raises MissingError unless this is the folder of a run."""
        for file in (self.config_file, self.tokens_file):
            if not file.exists():
                raise MissingError(f"{self.folder} is not the folder of a run: it has no {file.name}")

    def has_begun(self) -> bool:
        """Whether there is a checkpoint, and thus a result that depends on the config."""
        return any(path.name.isdecimal() for path in self.checkpoints.glob("*"))  # not one that is half written

    def _changes(self, config: Config) -> list[config_lib.Change]:
        """The values that differ between a run that has begun and `config`."""
        if not self.config_file.exists() or not self.has_begun():
            return []
        try:
            return config_lib.changes(config_lib.load(self.config_file), config)
        except ConfigError as error:
            advice = f"remove {self.config_file.name} to continue with the config of this command"
            raise ConfigError(f"{error}; or {advice}") from error


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
