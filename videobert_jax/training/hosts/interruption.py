"""Graceful stop on SIGTERM, for example when a cloud reclaims a machine or a job reaches its time limit.

All processes save the same step and exit with a code that asks for a restart. JAX's preemption service is not used,
because it misses a signal that arrives before the first step, such as during a long compilation.
"""

import os
import signal
import threading
from types import FrameType

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

EXIT_CODE = os.EX_TEMPFAIL  # 75


class Interrupted(SystemExit):
    """The run has saved its state before it was complete. Uncaught, it exits with `EXIT_CODE`."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


class Interruption:
    """Handles SIGTERM within its context; `mesh` spans all devices of the run."""

    def __init__(self, mesh: Mesh) -> None:
        self._asked = False
        self._main = threading.current_thread() is threading.main_thread()  # only this thread may set handlers
        self._several = jax.process_count() > 1
        self._everywhere = NamedSharding(mesh, P(mesh.axis_names))
        self._local_devices = len(mesh.local_devices)
        self._any = jax.jit(lambda asked: asked.any(), out_shardings=NamedSharding(mesh, P()))
        self._last: jax.Array | None = None

    def __enter__(self) -> "Interruption":
        if self._main:
            self._handler = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        if self._main:
            signal.signal(signal.SIGTERM, self._handler)

    def agreed(self) -> bool:
        """Whether to save and stop after this step. All processes call it after every step and get the same answer.

        With several processes the answer is a step late, so that the devices need not wait for the host.
        """
        if not self._several:
            return self._asked
        asked = np.full(self._local_devices, self._asked)
        last = self._last
        self._last = self._any(jax.make_array_from_process_local_data(self._everywhere, asked))
        return last is not None and bool(last)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(number, self._handler)  # a second signal ends the process at once
