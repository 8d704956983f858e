"""Work in rounds: independent items, in any order and in any process, and then an end that sees all results.

What an item makes it leaves on disk, and `items` lists what is not there yet. So rounds that were stopped go on where
they were, and the number of processes, or who runs them, changes nothing in what comes out.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from videobert_jax.progress import progress
from videobert_jax.workers import Workers


@dataclasses.dataclass(frozen=True)
class Round:
    """All four members can be pickled, for they may run on different machines that share the folder of the cache.

    Attributes:
      name: what is being done, and `unit`, what one item is, for the progress.
      items: what is left to do, each hashable; called once, after the round before has finished.
      work: an item to its result. An exception ends the run; where processes are watched, `pool.WorkerDiedError` is the
        result of an item that kills them.
      finish: called once, with the result of each item.
    """

    name: str
    unit: str
    items: Callable[[], Sequence[Any]]
    work: Callable[[Any], Any]
    finish: Callable[[Mapping[Any, Any]], None]


Runner = Callable[[Sequence[Round]], None]


def run_in_processes(rounds: Sequence[Round], workers: int) -> None:
    """Runs `rounds` one after the other in `workers` processes of this machine; 0: one per core."""
    with Workers(workers) as processes:
        for current in rounds:
            items = current.items()
            results = processes.share_out(current.work, items)
            current.finish(dict(progress(results, len(items), current.name, current.unit)))
