"""The training loop, top to bottom.

The order matters. Evaluation and checkpoint come before the next batch is drawn, so that state, journal and data agree
at every checkpoint. The metrics of a step are read only after the next step has been dispatched, so that the devices
never wait for the host.
"""

import contextlib
import functools
import pathlib
import time
from typing import Any

import jax

from videobert_jax.config import Config, check
from videobert_jax.data import batching
from videobert_jax.data.prepared import Prepared
from videobert_jax.tasks.task import Task
from videobert_jax.training import initial_params, ranking, sharding, training_data
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
    """Trains from the newest checkpoint in `workdir`, or from scratch, until `config.steps`.

    Args:
      config: of the run.
      task: the network, the objective and the data.
      evaluators: by name; the one in `config.checkpoint.metric` also runs at every checkpoint.
      workdir: folder of the run; see `Workdir.check` for the configs it accepts.
      prepared: folder of prepared data.
      hang_seconds: a process without progress for this long exits; see `watchdog.py`.
      profile_steps: steps to trace; see `profiling.py`.
      before: seconds this process spent before this call, for `goodput.py`.

    Returns:
      The newest value of every metric.

    Raises:
      ConfigError: a config value is invalid, or differs from that of the run in `workdir`.
      NonFiniteError: the loss or a norm is not finite; that state is not saved.
      Interrupted: the run was asked to stop and has saved its state.
    """
    clock = Clock(before)

    # 1. The folder of the run, before anything slow.
    check(config)
    workdir.open(config, prepared, writing=jax.process_index() == 0)
    enable_cache(pathlib.Path(config.data.cache) / "xla")

    # 2. The devices, and which rows of each batch this process loads.
    mesh = sharding.make_mesh(config.mesh)
    batch_size = config.data.batch_size
    rows = sharding.rows_of_process(mesh, batch_size, config.optimizer.accumulation)

    # 3. The data: one batch per step.
    examples = training_data.examples_of(task, prepared)
    row = training_data.row_of(task, config, prepared)
    data = batching.dataset(examples, row, task.group, config.data, config.seed, rows)
    examples_of = functools.partial(batching.examples_of_step, examples, task.group, config.data, config.seed)

    # 4. The functions, and the shapes and shardings of their arguments.
    program = make_program(config, task, mesh)

    with (
        jax.set_mesh(mesh),
        Checkpoints(workdir.checkpoints, config.checkpoint.keep, config.checkpoint.best) as checkpoints,
        Watchdog(workdir.processes, hang_seconds) as watchdog,
        Interruption(mesh) as interruption,
    ):
        # 5. The state: the newest checkpoint, or the initial one.
        state = checkpoints.restore(program.state)
        if state is None:
            state = program.init(initial_params.load(config, task, workdir))
        done = int(state.step)
        scores = ranking.scores(workdir.metrics, config.checkpoint, done)
        if done >= config.steps or ranking.out_of_patience(scores, config.checkpoint):
            print(f"train: already at step {done} of {config.steps}")
            return writers.summary(workdir.metrics)

        # 6. Ahead-of-time compilation, which shows now whether the step fits; and the peak FLOP/s for the MFU.
        start = time.perf_counter()
        with clock.on("compile"):
            train_step = program.compile_train_step()
            measures = {name: one.build(program) for name, one in evaluators.items()}
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
            ranks = config.checkpoint.metric.partition("/")[0]
            for step in range(done + 1, config.steps + 1):
                watchdog.at(step)
                with profiler.at(step):
                    with clock.on("input", hidden=journal.under_way):
                        batch = sharding.to_global(next(batches), rows, mesh, batch_size)
                    state, step_metrics = train_step(state, batch)
                    journal.dispatched(step, step_metrics)
                stopping = step < config.steps and interruption.agreed()
                saving = step % config.checkpoint.every == 0 or step == config.steps
                due = [name for name in measures if step % evaluators[name].every == 0 or (saving and name == ranks)]
                score, unknown = None, None
                if due or saving or stopping:
                    journal.catch_up()
                for name in due:
                    with clock.on("evaluation"):
                        metrics = measures[name](state.params)
                    journal.evaluated(step, name, metrics)
                    if name == ranks:
                        score, unknown = score_of(config.checkpoint.metric, metrics)
                        scores |= {} if score is None else {step: score}
                if saving or stopping or unknown:
                    with clock.on("checkpoint"):
                        journal.sync()
                        checkpoints.save(step, state, score)
                        if stopping or unknown or step == config.steps:
                            checkpoints.wait()
                if unknown:
                    raise unknown
                if saving and ranking.out_of_patience(scores, config.checkpoint):
                    journal.say(f"train: ended at step {step}, {config.checkpoint.metric} has not become better")
                    break
                if stopping:
                    journal.say(f"train: asked to stop, saved step {step}; run the same command to resume")
                    raise Interrupted
    return writers.summary(workdir.metrics)
