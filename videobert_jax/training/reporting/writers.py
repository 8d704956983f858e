"""Writers of metrics: `metrics.jsonl`, one JSON object per line, and TensorBoard.

A line is `{"step": 20, "loss": 5.1, "loss/text": ..., ..., "timing": {"seconds": ..., ...}}`. Everything except
`timing` is a function of the config alone, so two runs can be compared with `==`. Metrics of evaluators have separate
lines, with a prefix such as `held_out/`. A metric without examples in the batch is omitted.
"""

import json
import os
import pathlib
from typing import Any

from tensorboardX import SummaryWriter

from videobert_jax.files import write_text


def means(metrics: dict[str, tuple[Any, Any]]) -> dict[str, float]:
    """The mean of each (sum, count) pair; omits pairs with a count of zero."""
    return {name: float(total / count) for name, (total, count) in metrics.items() if count}


def read(path: pathlib.Path, last_step: int | None = None) -> list[dict[str, Any]]:
    """The lines of a metrics file up to `last_step`, by default all; empty if the file does not exist.

    Skips an incomplete last line, as a killed run leaves it. Raises OSError if any other line is damaged.
    """
    if not path.exists():
        return []
    lines = []
    for number, text in enumerate(path.read_text().splitlines(keepends=True), start=1):
        if not text.endswith("\n"):
            break
        try:
            line = json.loads(text)
        except ValueError as error:
            raise OSError(f"{path}, line {number}, is not JSON: {text[:80]!r}; remove that line") from error
        if last_step is None or line["step"] <= last_step:
            lines.append(line)
    return lines


def summary(path: pathlib.Path) -> dict[str, Any]:
    """The newest value of every metric in a file, and of every timing."""
    newest: dict[str, Any] = {}
    timing: dict[str, float] = {}
    for line in read(path):
        timing |= line["timing"]
        newest |= line
    return newest | {"timing": timing}


class MetricsWriter:
    """Appends to the metrics files, after removing lines later than `step`, from which the run resumes."""

    def __init__(self, path: pathlib.Path, tensorboard: pathlib.Path, step: int) -> None:
        write_text(path, "".join(_encode(line) for line in read(path, step)))
        self._file = path.open("a")
        self._board = SummaryWriter(str(tensorboard), purge_step=step + 1)

    def write(self, step: int, values: dict[str, float], timing: dict[str, float]) -> None:
        """Appends one line. Raises ValueError if a value is not finite, since JSON has no such numbers."""
        self._file.write(_encode({"step": step, **values, "timing": timing}))
        self._file.flush()
        for name, value in (*values.items(), *((f"timing/{name}", value) for name, value in timing.items())):
            self._board.add_scalar(name, value, step)

    def sync(self) -> None:
        """Flushes everything written to disk; call it before a checkpoint of the same step."""
        os.fsync(self._file.fileno())
        self._board.flush()

    def close(self) -> None:
        """Closes both files."""
        self._file.close()
        self._board.close()


def _encode(line: dict[str, Any]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"
