"""Traces of requested steps, for TensorBoard's profile plugin, XProf or Perfetto."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import jax


class Profiler:
    """Traces `steps` in the first process into a folder; `wait` blocks until all dispatched steps are done."""

    def __init__(self, folder: pathlib.Path, steps: range, wait: Callable[[], None]) -> None:
        self._folder, self._wait = folder, wait
        self._trace, self._tracing = contextlib.ExitStack(), False
        self._steps = steps if jax.process_index() == 0 else range(0)

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(self, *error: object) -> None:
        self._trace.close()

    @contextlib.contextmanager
    def at(self, step: int) -> Iterator[None]:
        """Wraps the dispatch of a step. A run that resumes within `steps` traces the rest of them."""
        if step in self._steps and not self._tracing:
            self._trace.enter_context(jax.profiler.trace(self._folder))
            self._tracing = True
        with jax.profiler.StepTraceAnnotation("train", step_num=step):
            yield
        if self._steps and step == self._steps[-1]:
            self._wait()
            self._trace.close()
