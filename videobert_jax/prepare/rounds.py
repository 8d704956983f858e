"""Work in rounds: independent items, processed in any order and process, then a final step with all results.

Each item writes its output to disk, and `items` lists only missing ones. So interrupted rounds resume, and the output
depends neither on the number of processes nor on the runner.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from videobert_jax.progress import progress
from videobert_jax.workers import Workers


@dataclasses.dataclass(frozen=True)
class Round:
    """One round; its functions must be picklable, since they may run on different machines that share the cache folder.

    Attributes:
      name: the work, for the progress bar.
      unit: one item, for the progress bar.
      items: returns the remaining items, which are hashable; called once, after the previous round has finished.
      work: maps an item to its result; an exception ends the run. An item that kills its worker process results in a
        `workers.WorkerDiedError`, if the runner watches processes.
      finish: called once, with the result of each item.
    """

    name: str
    unit: str
    items: Callable[[], Sequence[Any]]
    work: Callable[[Any], Any]
    finish: Callable[[Mapping[Any, Any]], None]


Runner = Callable[[Sequence[Round]], None]


def run_in_processes(rounds: Sequence[Round], workers: int) -> None:
    """Runs `rounds` one after the other in `workers` processes on this machine; 0: one per core."""
    with Workers(workers) as processes:
        for current in rounds:
            items = current.items()
            results = processes.share_out(current.work, items)
            current.finish(dict(progress(results, len(items), current.name, current.unit)))
