"""The run's diary: `metrics.jsonl`, one JSON object per line, and the same for TensorBoard.

A line is `{"step": 20, "loss": 5.1, "loss/text": ..., ..., "timing": {"seconds": ..., ...}}`: everything outside of
`timing` is a function of the config alone, so that two runs can be compared with `==`. Values of held-out batches have
a line of their own, with the prefix `held_out/`. A metric with no example in the batch is left out.
"""

import json
import os
import pathlib
from typing import Any

from tensorboardX import SummaryWriter

from videobert_jax.files import write_text


def means(metrics: dict[str, tuple[Any, Any]]) -> dict[str, float]:
    """Each (sum, count) pair as its mean; a name with a count of zero has none, and is left out."""
    return {name: float(total / count) for name, (total, count) in metrics.items() if count}


def read(path: pathlib.Path, last_step: int | None = None) -> list[dict[str, Any]]:
    """The lines of a metrics file up to `last_step`, all by default; none if there is no such file.

    A last line without its end, torn when a run was killed, is left out. Raises OSError for damage anywhere else.
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
            raise OSError(f"{path}, line {number}, is no JSON: {text[:80]!r}; remove that line") from error
        if last_step is None or line["step"] <= last_step:
            lines.append(line)
    return lines


def summary(path: pathlib.Path) -> dict[str, Any]:
    """The newest value of everything in a metrics file, and of every timing."""
    newest: dict[str, Any] = {}
    timing: dict[str, float] = {}
    for line in read(path):
        timing |= line["timing"]
        newest |= line
    return newest | {"timing": timing}


class MetricsWriter:
    """Appends to the diary, after forgetting what a previous run wrote later than the step that is resumed from."""

    def __init__(self, path: pathlib.Path, tensorboard: pathlib.Path, step: int) -> None:
        """Opens the file and the folder of TensorBoard at `step`, the number of updates already done."""
        write_text(path, "".join(_encode(line) for line in read(path, step)))
        self._file = path.open("a")
        self._board = SummaryWriter(str(tensorboard), purge_step=step + 1)

    def write(self, step: int, values: dict[str, float], timing: dict[str, float]) -> None:
        """Appends one line. Raises ValueError for a value that is not finite: JSON has none."""
        self._file.write(_encode({"step": step, **values, "timing": timing}))
        self._file.flush()
        for name, value in (*values.items(), *((f"timing/{name}", value) for name, value in timing.items())):
            self._board.add_scalar(name, value, step)

    def sync(self) -> None:
        """Returns once everything written is on the disk; called before a checkpoint that implies it."""
        os.fsync(self._file.fileno())
        self._board.flush()

    def close(self) -> None:
        """Ends both files."""
        self._file.close()
        self._board.close()


def _encode(line: dict[str, Any]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"
