"""The main job: prepare the corpus if necessary, pretrain, evaluate, and write the report.

    python launch/main.py --config=configs/base.py --workdir=runs/base

The same command resumes a stopped run, and evaluates a complete one again.

With several processes, one per host or per GPU, run the same command in each, with `--distributed` where JAX recognises
the cluster (Cloud TPU VMs, GKE, Slurm, Kubernetes, Open MPI), and elsewhere with

    --coordinator=HOST:PORT --process_count=N --process_index=I

docs/running.md lists the exit codes and says after which ones to restart.
"""

import contextlib
import pathlib
import re

from absl import flags, logging
from ml_collections import config_flags

from videobert_jax import cli
from videobert_jax.config import Config
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.prepare import pipeline as prepare
from videobert_jax.training import starting_point
from videobert_jax.training.reporting import goodput
from videobert_jax.training.workdir import Workdir

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/, with its argument.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/base", "Folder of this run: checkpoints, metrics, report.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Whether this is one process of several on a cluster.")
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT at which process 0 listens; else detected.")
_COUNT = flags.DEFINE_integer("process_count", None, "Number of processes; else detected.", 1)
_INDEX = flags.DEFINE_integer("process_index", None, "Index of this process, from 0; else detected.", 0)
_JOIN = flags.DEFINE_integer("join_seconds", 300, "How long to wait for all processes to join.", 1)
_HEARTBEAT = flags.DEFINE_integer("heartbeat_seconds", 100, "A process silent for this long is lost, and all exit.", 1)
_PROFILE = flags.DEFINE_string("profile_steps", "", "FIRST:LAST, steps to trace into WORKDIR/profile: 10:15.")
_HANG = flags.DEFINE_float("hang_seconds", 900, "All exit if training makes no progress for this long; 0: never.", 0)


def main(_: list[str]) -> None:
    """Prepares, trains and evaluates."""
    logging.set_verbosity(logging.WARNING)  # libraries log too much
    config, profile_steps = cli.config_of(_CONFIG), _steps(_PROFILE.value)
    _check_place(_COORDINATOR.value)
    workdir = Workdir(pathlib.Path(_WORKDIR.value))
    config = workdir.completed(config)
    # Checks first what would otherwise fail after minutes. A run with a checkpoint no longer needs `init_from`.
    workdir.check(config)
    source = starting_point.find(config, workdir)
    if config.init_from and not source and not workdir.has_begun():
        from videobert_jax.interop import bert

        bert.require(pathlib.Path(config.init_from), config.model)
    several = _DISTRIBUTED.value or any(flag.value is not None for flag in (_COORDINATOR, _COUNT, _INDEX))
    if several:
        _join()
    starting = goodput.process_age()
    prepared = _prepare_together(config, source) if several else prepare.prepare(config, given=source)
    preparing = goodput.process_age() - starting

    # Imported late, so that errors above appear without waiting for JAX.
    import jax

    from videobert_jax import tasks
    from videobert_jax.evaluation import evaluator, run
    from videobert_jax.training import loop
    from videobert_jax.training.hosts import processes

    first = jax.process_index() == 0
    with processes.ending_together(), workdir.locked() if first else contextlib.nullcontext():
        before = goodput.process_age() - preparing
        config = tasks.complete(config, prepared)
        task = tasks.make_task(config, prepared.tokens())
        evaluators = evaluator.for_training(config, task, prepared)
        loop.train(config, task, evaluators, workdir, prepared, _HANG.value, profile_steps, before)
        if first:
            run.evaluate(workdir.folder, prepared)
        processes.leave_together("the first process has evaluated")


def _steps(text: str) -> range:
    """Parses "10:15", both steps inclusive, or "". Raises ConfigError for anything else."""
    first, _, last = text.partition(":")
    if not text:
        return range(0)
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise ConfigError(f"--profile_steps is {text!r}, expected FIRST:LAST, numbers of steps such as 10:15")
    return range(int(first), int(last) + 1)


def _check_place(text: str | None) -> None:
    """Raises ConfigError unless `text` is HOST:PORT, with IPv6 addresses in brackets, or None."""
    if text is None:
        return
    place = re.fullmatch(r"(?:[^\s/:\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})", text)
    if not (place and 1 <= int(place[1]) <= 65535):
        raise ConfigError(
            f"--coordinator is {text!r}, expected HOST:PORT, with a port in [1, 65535] such as host0:1234"
        )


def _join() -> None:
    from videobert_jax.training.hosts import processes

    processes.join(_COORDINATOR.value, _COUNT.value, _INDEX.value, _JOIN.value, _HEARTBEAT.value)


def _prepare_together(config: Config, source: Workdir | None) -> Prepared:
    from videobert_jax.training.hosts import processes

    with processes.ending_together():
        return processes.first_before_others(lambda: prepare.prepare(config, given=source))


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    cli.run(main)
