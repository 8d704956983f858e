"""The training loop, top to bottom. Its order is deliberate: evaluation and checkpoint come before the next batch is
drawn, so that state, journal and data agree at every checkpoint; and the metrics of a step are read only when the next
step is already under way, so that the devices never wait for the host.
"""

import contextlib
import functools
import pathlib
import time
from typing import Any

import jax

from videobert_jax.config import Config, check
from videobert_jax.data import batching
from videobert_jax.data.prepared import TRAIN, Prepared
from videobert_jax.tasks.task import Task
from videobert_jax.training import initial_params, sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.compilation import enable_cache, memory
from videobert_jax.training.evaluators import Evaluators, score_of
from videobert_jax.training.hosts.interruption import Interrupted, Interruption
from videobert_jax.training.hosts.watchdog import HANG_SECONDS, Watchdog
from videobert_jax.training.program import make_program
from videobert_jax.training.reporting import non_finite, writers
from videobert_jax.training.reporting.goodput import Clock, Goodput
from videobert_jax.training.reporting.journal import Journal
from videobert_jax.training.reporting.profiling import Profiler
from videobert_jax.training.reporting.throughput import Meter, measure_peak
from videobert_jax.training.workdir import Workdir


def train(
    config: Config,
    task: Task,
    evaluators: Evaluators,
    workdir: Workdir,
    prepared: Prepared,
    hang_seconds: float = HANG_SECONDS,
    profile_steps: range = range(0),
    before: float = 0.0,
) -> dict[str, Any]:
    """Trains from the newest checkpoint of `workdir`, or from the start, to `config.steps`; not at all if it is there.

    Args:
      config: what the run is.
      task: what is learnt, and from what.
      evaluators: by name; that of `config.checkpoint.metric` runs at every checkpoint, too.
      workdir: folder of the run; `Workdir.check` says which config it takes.
      prepared: folder of prepared data.
      hang_seconds: a process without progress for so long ends; see `watchdog.py`.
      profile_steps: of these a trace is written; see `profiling.py`.
      before: seconds that this process took to come here, for the account in `goodput.py`.

    Returns:
      The newest value of every metric.

    Raises:
      ConfigError: a value of the config makes no sense.
      NonFiniteError: the loss or a norm is not finite; no such state is saved.
      Interrupted: the run was asked to stop, and its state is saved.
    """
    clock = Clock(before)

    # 1. The folder of the run, before anything takes time.
    check(config)
    workdir.open(config, prepared, writing=jax.process_index() == 0)
    enable_cache(pathlib.Path(config.data.cache) / "xla")

    # 2. The devices, and which rows of each batch this process loads.
    mesh = sharding.make_mesh(config.mesh)
    batch_size = config.data.batch_size
    rows = sharding.rows_of_process(mesh, batch_size, config.optimizer.accumulation)

    # 3. The data: a batch for every step.
    examples = task.examples(prepared, TRAIN)
    data = batching.dataset(examples, task.row, task.group, config.data, config.seed, rows)
    examples_of = functools.partial(batching.examples_of_step, examples, task.group, config.data, config.seed)

    # 4. The functions, and the shape and the place of everything they take.
    program = make_program(config, task, mesh)

    with (
        jax.set_mesh(mesh),
        Checkpoints(workdir.checkpoints, config.checkpoint.keep) as checkpoints,
        Watchdog(workdir.processes, hang_seconds) as watchdog,
        Interruption(mesh) as interruption,
    ):
        # 5. The state: the newest that was saved, or the first.
        state = checkpoints.restore(program.state)
        if state is None:
            state = program.init(initial_params.load(config, task, workdir))
        done = int(state.step)
        if done >= config.steps:
            print(f"train: step {done} of {config.steps} is there already")
            return writers.summary(workdir.metrics)

        # 6. Compiled ahead, so that what does not fit is known now; and the peak that the speed is compared with.
        start = time.perf_counter()
        with clock.on("compile"):
            train_step = program.compile_train_step()
            measures = {name: one.build(program) for name, one in evaluators.items() if one.every}
        compilation = f"compiled in {time.perf_counter() - start:.1f} s, {memory(train_step)}"
        meter = Meter(program.flops, measure_peak(mesh, config.model.dtype), clock)

        # 7. The steps.
        with (
            Journal(
                workdir, done, config.steps, config.log_every, meter, Goodput(workdir.goodput, done, clock)
            ) as journal,
            contextlib.closing(batching.batches(data, done, config.data)) as batches,
            Profiler(workdir.profile, profile_steps, journal.catch_up) as profiler,
            non_finite.written_down(workdir.non_finite, examples_of, program.state.params),
            clock.on("step"),
        ):
            devices = f"{mesh.size} x {mesh.devices.flat[0].device_kind}"
            journal.say(f"train: from step {done} to {config.steps} on {devices}; {compilation}; {meter}")
            ranking = config.checkpoint.metric.partition("/")[0]
            for step in range(done + 1, config.steps + 1):
                watchdog.at(step)
                with profiler.at(step):
                    with clock.on("input", hidden=journal.under_way):
                        batch = sharding.to_global(next(batches), rows, mesh, batch_size)
                    state, step_metrics = train_step(state, batch)
                    journal.dispatched(step, step_metrics)
                stopping = step < config.steps and interruption.agreed()
                saving = step % config.checkpoint.every == 0 or step == config.steps
                due = [name for name in measures if step % evaluators[name].every == 0 or (saving and name == ranking)]
                score = None
                if due or saving or stopping:
                    journal.catch_up()
                for name in due:
                    with clock.on("evaluation"):
                        metrics = measures[name](state.params)
                    journal.evaluated(step, name, metrics)
                    if name == ranking:
                        score = score_of(config.checkpoint.metric, metrics)
                if saving or stopping:
                    with clock.on("checkpoint"):
                        journal.sync()
                        checkpoints.save(step, state, score)
                        if stopping or step == config.steps:
                            checkpoints.wait()
                if stopping:
                    journal.say(f"train: asked to stop, saved step {step}; the same command goes on")
                    raise Interrupted
    return writers.summary(workdir.metrics)
