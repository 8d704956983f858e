"""The whole of preparing as one Apache Beam pipeline, for more than one machine.

    python launch/prepare.py --config=configs/base.py --config.data.videos=DIR --beam=--runner=FlinkRunner ...

The pipeline carries names; videos, features and records lie in folders that all machines see under the same path.
Apache Beam is an extra of this package: it holds protobuf and NumPy below the versions of the tested lock.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from videobert_jax.prepare.pool import Workers, available_cores
from videobert_jax.prepare.rounds import Round


def run_with_beam(rounds: Sequence[Round], options: Sequence[str], workers: int) -> None:
    """Runs `rounds` one after the other and returns when all is done.

    Args:
      rounds: what to do.
      options: of Apache Beam, such as "--runner=FlinkRunner". Without a runner it is the direct one, on this machine.
      workers: of the direct runner; 0: one per core.
    """
    local = ["--direct_running_mode=multi_threading", f"--direct_num_workers={workers or available_cores()}"]
    with beam.Pipeline(options=PipelineOptions([*local, *options])) as pipeline:
        done = pipeline | beam.Create([{}])
        for current in rounds:
            done = (
                done
                | f"{current.name}: what is left" >> beam.FlatMap(_items, current)
                | f"{current.name}: to all workers" >> beam.Reshuffle()
                | current.name >> beam.ParDo(_Work(current))
                | f"{current.name}: all results" >> beam.combiners.ToDict()
                | f"{current.name}: finish" >> beam.Map(_finish, current)
            )


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
