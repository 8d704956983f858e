"""Progress output: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

from videobert_jax.progress import LINE_SECONDS


class Console:
    """Shows the step, the loss, the speed and the remaining time on standard error."""

    def __init__(self, done: int, steps: int, shown: bool = True) -> None:
        """Starts at `done` of `steps` updates; prints nothing unless `shown`, which only one process sets."""
        self._done, self._steps, self._shown = done, steps, shown
        self._start = self._last_line = time.monotonic()
        self._bar = tqdm(
            total=steps, initial=done, desc="train", unit="step", disable=not (shown and sys.stderr.isatty())
        )

    def update(self, step: int, values: dict[str, float], timing: dict[str, float]) -> None:
        """Shows the values of `step`; prints plain lines at most every few seconds, and at the end."""
        speed = f"loss {values['loss']:.4f}, {timing['tokens_per_second']:,.0f} tokens/s, MFU {timing['mfu']:.1%}"
        self._bar.set_postfix_str(speed, refresh=False)
        self._bar.update(step - self._bar.n)
        now = time.monotonic()
        if not self._bar.disable or not self._shown or (now - self._last_line < LINE_SECONDS and step < self._steps):
            return
        remaining = (now - self._start) / max(step - self._done, 1) * (self._steps - step)
        print(f"train: step {step}/{self._steps}, {speed}, {remaining:.0f} s left", file=sys.stderr, flush=True)
        self._last_line = now

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        if self._shown:
            tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        """Closes the bar and leaves it visible."""
        self._bar.close()
