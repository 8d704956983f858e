"""Being asked to stop: SIGTERM, as from a cloud that takes back a machine or a scheduler that needs it.

All processes learn of it, save at the same step, and exit with a code that means "start me again". JAX's preemption
service is not used: a notice that comes before the first step, as in a long compilation, is lost to it.
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
    """The run has saved its state and is not complete. Not caught, it ends the process with `EXIT_CODE`."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


class Interruption:
    """Knows, within its context, whether any process of the run has been asked to stop."""

    def __init__(self, mesh: Mesh) -> None:
        """`mesh`: over all devices of the run."""
        self._asked = False
        self._main = threading.current_thread() is threading.main_thread()  # Python lets no other take signals
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
        """Whether to save and end after this step, the same in all processes; each asks after every step.

        Several hear of it a step late: to ask the devices at once would make them wait for the host.
        """
        if not self._several:
            return self._asked
        asked = np.full(self._local_devices, self._asked)
        last = self._last
        self._last = self._any(jax.make_array_from_process_local_data(self._everywhere, asked))
        return last is not None and bool(last)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(number, self._handler)  # a second one does not wait for the step
