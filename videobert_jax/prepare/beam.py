"""Runs rounds as one Apache Beam pipeline, on one machine or many.

The pipeline passes only names; all workers must see videos, features and records under the same paths, and have this
package installed. Apache Beam is an optional dependency (``videobert_jax[beam]``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from videobert_jax.errors import RoundsError
from videobert_jax.prepare.rounds import Round
from videobert_jax.workers import Workers, available_cores


def run_with_beam(rounds: Sequence[Round], options: Sequence[str], workers: int) -> None:
    """Runs `rounds` one after the other. Raises RoundsError if the pipeline fails; finished items are kept.

    Args:
      rounds: the work.
      options: Apache Beam options, such as ``--runner=FlinkRunner``; by default it runs on this machine.
      workers: number of workers on this machine; 0: one per core.
    """
    # Without a runner, Beam would download one written in Go.
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
    except Exception as error:  # each runner raises its own type
        raise RoundsError(f"the Beam pipeline stopped: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "[while running" in line]
    return (telling or lines or [type(error).__name__])[-1].strip()


def _items(_: Any, current: Round) -> Sequence[Any]:
    return current.items()


def _finish(results: Mapping[Any, Any], current: Round) -> None:
    current.finish(results)


class _Work(beam.DoFn):
    """Processes items in a separate process for each of Beam's threads, so that a crash loses only one item."""

    def __init__(self, current: Round) -> None:
        self._work = current.work

    def setup(self) -> None:
        self._process = Workers(1)

    def process(self, item: Any) -> Iterator[tuple[Any, Any]]:
        yield from self._process.share_out(self._work, [item])

    def teardown(self) -> None:
        self._process.close()
