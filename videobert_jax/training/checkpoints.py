"""Checkpoints of the train state: written while training goes on, the newest and the best kept.

A checkpoint appears under its name only when it is whole, so a killed run leaves none that is half written.
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

CHUNK_BYTES = 2**24  # of an array that is written, and so read, as one: a reader holds few of these beside its arrays
METRIC = "score"  # stored with a checkpoint; workdirs of before have their only number under another name


class Checkpoints:
    """The checkpoints of one run, in `directory/<step>`. Leave its context to be sure that the last one is written."""

    def __init__(self, directory: pathlib.Path, keep: int = 1, read_only: bool = False) -> None:
        """Keeps the `keep` newest checkpoints and, besides, the one with the lowest score.

        With `read_only` nothing in `directory` changes, not even what is damaged: another program may be training. Then
        one process can open it without the others; else all of a run do everything here together.

        Damaged metrics are set aside, with a warning: their checkpoint is as good as any, but never the best. Raises
        OSError if there are some and nothing may change.
        """
        self._directory, self._read_only = directory.absolute(), read_only
        # Reading is each process's own affair: one that fails must not leave the others waiting for it.
        me = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(me, active_processes={me}, barrier_sync_key_prefix=f"process {me}")
        options = ocp.CheckpointManagerOptions(
            create=not read_only,
            best_fn=_score,
            best_mode="min",
            preservation_policy=AnyPreservationPolicy(
                [LatestN(keep), BestN(get_metric_fn=_score, reverse=True, n=1, keep_checkpoints_without_metrics=False)]
            ),
            cleanup_tmp_directories=not read_only,  # what a killed run left half written
            multiprocessing_options=alone if read_only else ocp.options.MultiprocessingOptions(),
        )
        self._mend_metrics()
        self._manager = ocp.CheckpointManager(self._directory, options=options)
        self._reader = ocp.Checkpointer(
            ocp.StandardCheckpointHandler(multiprocessing_options=alone), multiprocessing_options=alone
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        self._manager.close()

    def save(self, step: int, state: TrainState, score: float | None) -> None:
        """Copies the state off the devices and returns; the copy is written in the background, all or nothing.

        Without a score it cannot be the best. An error of the previous write is raised here.
        """
        save_args = jax.tree.map(lambda _: ocp.SaveArgs(chunk_byte_size=CHUNK_BYTES), state)
        args = ocp.args.Composite(state=ocp.args.StandardSave(state, save_args))
        metrics = None if score is None else {METRIC: score}
        self._manager.save(step, args=args, metrics=metrics, force=True)

    def wait(self) -> None:
        """Returns when the last one is written. An error of that is raised here."""
        self._manager.wait_until_finished()

    def restore(self, abstract: TrainState) -> TrainState | None:
        """The newest checkpoint that can be read, placed as `abstract` says (shapes with shardings); None without any.

        A damaged one is renamed to `<step>.damaged`, with a warning, once an older one is found sound. Raises OSError
        if there are some but none can be read: more likely another model, or a fault of the disk.
        """
        failures: dict[int, Exception] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            state, failure = self._try(step, abstract)
            if failure:
                logging.warning("the checkpoint of step %s cannot be read, trying an older one: %s", step, failure)
                failures[step] = failure
                continue
            if failures:
                self._set_aside([self._directory / str(step) for step in failures])
                self._manager.reload()
            return state
        if failures:
            reasons = "; ".join(f"{step}: {_first_line(error)}" for step, error in failures.items())
            raise OSError(
                f"none of the checkpoints in {self._directory} can be read ({reasons}). Nothing was changed. If they "
                "belong to another model, choose another --workdir; if they are lost, remove that folder to start anew"
            ) from next(iter(failures.values()))
        return None

    def restore_step(self, step: int, abstract: Any) -> Any:
        """The state of one step, placed as `abstract` says; its trees must be those that were saved."""
        path = self._directory / str(step) / "state"
        return self._reader.restore(path, args=ocp.args.StandardRestore(abstract))

    def best_step(self) -> int | None:
        """The step with the lowest score among those kept."""
        return self._manager.best_step()

    def _mend_metrics(self) -> None:
        """Sets damaged metrics aside, for the manager reads those of all checkpoints at once."""
        steps = (path for path in self._directory.glob("*") if path.name.isdecimal())  # not what was set aside before
        damaged = [
            file for file in (step / "metrics" / "metrics" for step in steps) if file.exists() and not _has_score(file)
        ]
        if damaged and self._read_only:
            raise OSError(
                f"{damaged[0]} is damaged, and what is only read stays as it is. The next start of the run sets this "
                "file aside; or remove it: its checkpoint is as good without, but cannot be the best"
            )
        self._set_aside(damaged)

    def _try(self, step: int, abstract: TrainState) -> tuple[TrainState | None, Exception | None]:
        """The state of one step, or why it cannot be read; all processes agree which, for each reads a part."""
        state, failure = None, None
        try:
            state = self.restore_step(step, abstract)
        except Exception as error:  # what damage leads to: these errors have no common class
            failure = error
        if self._read_only:
            return state, failure
        sound = multihost_utils.process_allgather(np.array(failure is None)).reshape(-1)
        if failure is None and not sound.all():
            failure = OSError(f"process {int(np.argmin(sound))} cannot read its part")
        return state, failure

    def _set_aside(self, paths: list[pathlib.Path]) -> None:
        """Renames files or folders; all processes learn whether the first could. Raises OSError in all if not."""
        if self._read_only:
            return
        renamings = [(path, _free_name(path)) for path in paths]
        for damaged, new in renamings:
            logging.warning("CHECKPOINT %s IS DAMAGED: it becomes %s", damaged, new.name)
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
            why = failure or "process 0 says why"
            raise OSError(f"{which} is damaged and cannot be renamed ({why}); move it away yourself") from failure


def _score(metrics: dict[str, float]) -> float:
    (score,) = metrics.values()
    return score


def _has_score(path: pathlib.Path) -> bool:
    """Whether these metrics are what `save` writes; without a score it writes none."""
    try:
        (score,) = json.loads(path.read_text()).values()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
    return type(score) in (int, float) and abs(score) < math.inf


def _free_name(path: pathlib.Path) -> pathlib.Path:
    """The first name for what is damaged that none has: the run may reach a step again, and lose it again."""
    names = itertools.chain([f"{path.name}.damaged"], (f"{path.name}.damaged.{n}" for n in itertools.count(2)))
    return next(new for new in map(path.with_name, names) if not new.exists())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
