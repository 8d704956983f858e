"""Checkpoints of the train state: written in the background; the newest and the best are kept.

A checkpoint gets its final name only when it is complete, so a killed run leaves no partial one.
"""

import itertools
import json
import math
import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from videobert_jax.training.state import TrainState

CHUNK_BYTES = 2**24  # of an array, written and so read at once: bounds the extra memory of a reader
METRIC = "score"  # key in the stored metrics; older workdirs store their single number under another key


class Checkpoints:
    """The checkpoints of a run, in `directory/<step>`. Leaving the context waits for the last write."""

    def __init__(
        self,
        directory: pathlib.Path,
        keep: int = 1,
        best: str = "lowest",
        read_only: bool = False,
    ) -> None:
        """Keeps the `keep` newest checkpoints and the one with the `best` score.

        With `read_only`, nothing in `directory` changes (another program may be training), and a single process may
        open it. Otherwise all processes of the run must call every method together.

        Damaged metrics are renamed, with a warning: their checkpoint stays usable, but can no longer be the best. With
        `read_only`, raises OSError instead.
        """
        self._directory, self._read_only, lowest = directory.absolute(), read_only, best == "lowest"
        # Each process reads on its own: one that fails must not leave the others waiting.
        me = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(me, active_processes={me}, barrier_sync_key_prefix=f"process {me}")
        options = ocp.CheckpointManagerOptions(
            create=not read_only,
            best_fn=_score,
            best_mode="min" if lowest else "max",
            preservation_policy=AnyPreservationPolicy(
                [
                    LatestN(keep),
                    BestN(get_metric_fn=_score, reverse=lowest, n=1, keep_checkpoints_without_metrics=False),
                ]
            ),
            cleanup_tmp_directories=not read_only,  # partial writes of a killed run
            multiprocessing_options=alone if read_only else ocp.options.MultiprocessingOptions(),
        )
        self._rename_damaged_metrics()
        self._manager = ocp.CheckpointManager(self._directory, options=options)
        self._reader = ocp.Checkpointer(
            ocp.StandardCheckpointHandler(multiprocessing_options=alone), multiprocessing_options=alone
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        self._manager.close()

    def save(self, step: int, state: TrainState, score: float | None) -> None:
        """Copies the state off the devices and writes it atomically in the background.

        A checkpoint without a score cannot be the best. Raises the error of the previous write, if it failed.
        """
        save_args = jax.tree.map(lambda _: ocp.SaveArgs(chunk_byte_size=CHUNK_BYTES), state)
        args = ocp.args.Composite(state=ocp.args.StandardSave(state, save_args))
        metrics = None if score is None else {METRIC: score}
        self._manager.save(step, args=args, metrics=metrics, force=True)

    def wait(self) -> None:
        """Waits for the last write, and raises its error if it failed."""
        self._manager.wait_until_finished()

    def restore(self, abstract: TrainState) -> TrainState | None:
        """The newest readable checkpoint, with the shapes and shardings of `abstract`; None if there is none.

        Damaged checkpoints are renamed to `<step>.damaged`, with a warning, once an older one has been read. Raises
        OSError if none can be read, which rather points to another model or a faulty disk.
        """
        failures: dict[int, Exception] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            state, failure = self._try(step, abstract)
            if failure:
                logging.warning("the checkpoint of step %s cannot be read, trying an older one: %s", step, failure)
                failures[step] = failure
                continue
            if failures:
                self._rename_damaged([self._directory / str(step) for step in failures])
                self._manager.reload()
            return state
        if failures:
            reasons = "; ".join(f"{step}: {_first_line(error)}" for step, error in failures.items())
            raise OSError(
                f"none of the checkpoints in {self._directory} can be read ({reasons}). Nothing was changed. If they "
                "belong to another model, choose another --workdir; if they are lost, remove that folder to start over"
            ) from next(iter(failures.values()))
        return None

    def restore_step(self, step: int, abstract: Any) -> Any:
        """The state of one step, with the shardings of `abstract`, whose tree structure must be the saved one."""
        path = self._directory / str(step) / "state"
        return self._reader.restore(path, args=ocp.args.StandardRestore(abstract))

    def best_step(self) -> int | None:
        """The kept step with the lowest score."""
        return self._manager.best_step()

    def _rename_damaged_metrics(self) -> None:
        """The manager reads the metrics of all checkpoints at once, so one damaged file would make all unreadable."""
        steps = (path for path in self._directory.glob("*") if path.name.isdecimal())  # skips what was renamed before
        damaged = [
            file for file in (step / "metrics" / "metrics" for step in steps) if file.exists() and not _has_score(file)
        ]
        if damaged and self._read_only:
            raise OSError(
                f"{damaged[0]} is damaged; expected a JSON object with one number. Resume the run, which renames the "
                "file, or remove it: its checkpoint stays usable, but can no longer be the best"
            )
        self._rename_damaged(damaged)

    def _try(self, step: int, abstract: TrainState) -> tuple[TrainState | None, Exception | None]:
        """The state of one step, or the error; each process reads its part, and all agree on the outcome."""
        state, failure = None, None
        try:
            state = self.restore_step(step, abstract)
        except Exception as error:  # errors from damaged files have no common class
            failure = error
        if self._read_only:
            return state, failure
        sound = multihost_utils.process_allgather(np.array(failure is None)).reshape(-1)
        if failure is None and not sound.all():
            failure = OSError(f"process {int(np.argmin(sound))} cannot read its part")
        return state, failure

    def _rename_damaged(self, paths: list[pathlib.Path]) -> None:
        """Process 0 renames files or folders. Raises OSError in all processes if it cannot."""
        if self._read_only:
            return
        renamings = [(path, _free_name(path)) for path in paths]
        for damaged, new in renamings:
            logging.warning("CHECKPOINT %s IS DAMAGED and is renamed to %s", damaged, new.name)
        multihost_utils.sync_global_devices("all have looked for damaged checkpoints")
        failure = None
        if jax.process_index() == 0:
            try:
                for damaged, new in renamings:
                    damaged.rename(new)
            except OSError as error:
                failure = error
        if not multihost_utils.process_allgather(np.array(failure is None)).all():
            which = ", ".join(map(str, paths))
            why = failure or "process 0 prints the reason"
            raise OSError(f"{which} is damaged and cannot be renamed ({why}); move it away yourself") from failure


def _score(metrics: dict[str, float]) -> float:
    (score,) = metrics.values()
    return score


def _has_score(path: pathlib.Path) -> bool:
    """Whether a metrics file holds one finite number, as `save` writes it."""
    try:
        (score,) = json.loads(path.read_text()).values()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
    return type(score) in (int, float) and abs(score) < math.inf


def _free_name(path: pathlib.Path) -> pathlib.Path:
    """The first unused name for a damaged file: a run may reach the same step again, and lose it again."""
    names = itertools.chain([f"{path.name}.damaged"], (f"{path.name}.damaged.{n}" for n in itertools.count(2)))
    return next(new for new in map(path.with_name, names) if not new.exists())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
