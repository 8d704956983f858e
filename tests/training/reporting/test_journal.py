import pathlib
from typing import Any

from videobert_jax.training.reporting.goodput import Clock, Goodput
from videobert_jax.training.reporting.journal import Journal
from videobert_jax.training.reporting.throughput import Meter
from videobert_jax.training.workdir import Workdir


class Loss:
    """A fake device array."""

    ready = False

    def is_ready(self) -> bool:
        return self.ready


def test_a_step_is_under_way_from_its_dispatch_until_it_is_done(tmp_path: pathlib.Path) -> None:
    workdir, clock, loss = Workdir(tmp_path), Clock(), Loss()
    metrics: Any = {"loss": (loss, 1)}
    with Journal(workdir, 0, 4, 1, Meter(1.0, 1.0, clock), Goodput(workdir.goodput, 0, clock)) as journal:
        assert not journal.under_way()
        journal.dispatched(1, metrics)
        assert journal.under_way()
        loss.ready = True
        assert not journal.under_way()
