"""Rounds as one Apache Beam pipeline, on this machine or on many.

The pipeline carries names alone; videos, features and records lie in folders that all workers see under the same path,
and each worker has this package installed. Apache Beam is an extra of it (``videobert_jax[beam]``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from videobert_jax.errors import RoundsError
from videobert_jax.prepare.rounds import Round
from videobert_jax.workers import Workers, available_cores


def run_with_beam(rounds: Sequence[Round], options: Sequence[str], workers: int) -> None:
    """Runs `rounds` one after the other, and returns when all is done.

    Args:
      rounds: what to do.
      options: of Apache Beam, such as ``--runner=FlinkRunner``. Without a runner it is this machine's.
      workers: of this machine; 0: one per core.

    Raises:
      RoundsError: with the reason that the pipeline gave; what is finished is kept.
    """
    # Without a runner, Beam would download one that is written in Go.
    local = ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"]
    local += ["--direct_running_mode=multi_threading", f"--direct_num_workers={workers or available_cores()}"]
    try:
        with beam.Pipeline(options=PipelineOptions([*local, *options])) as pipeline:
            done = pipeline | "begin" >> beam.Create([{}])
            for current in rounds:
                items = done | f"{current.name}: what is left" >> beam.FlatMap(_items, current)
                spread = items | f"{current.name}: spread out" >> beam.Reshuffle()
                results = spread | current.name >> beam.ParDo(_Work(current))
                together = results | f"{current.name}: all results" >> beam.combiners.ToDict()
                done = together | f"{current.name}: finish" >> beam.Map(_finish, current)
    except Exception as error:  # of whatever kind the runner makes of it
        raise RoundsError(f"the Beam pipeline stopped: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The line that says what went wrong, without the tracebacks that come with it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "[while running" in line]
    return (telling or lines or [type(error).__name__])[-1].strip()


def _items(_: Any, current: Round) -> Sequence[Any]:
    return current.items()


def _finish(results: Mapping[Any, Any], current: Round) -> None:
    current.finish(results)


class _Work(beam.DoFn):
    """Works on items in a process of its own, one for each of Beam's threads, so that a crash costs only its item."""

    def __init__(self, current: Round) -> None:
        self._work = current.work

    def setup(self) -> None:
        self._process = Workers(1)

    def process(self, item: Any) -> Iterator[tuple[Any, Any]]:
        yield from self._process.share_out(self._work, [item])

    def teardown(self) -> None:
        self._process.close()
