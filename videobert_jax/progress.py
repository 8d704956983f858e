"""Progress of long tasks: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

LINE_SECONDS = 10.0  # between plain lines


def progress(items: Iterable[T], total: int | None, description: str, unit: str = "it") -> Iterator[T]:
    """Yields from `items`; shows the number done, the rate and the remaining time on standard error.

    `total`, None if unknown, affects only the display; `unit` names one item.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=description, unit=unit, leave=True)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if done == total or now - last >= LINE_SECONDS:
            rate = done / max(now - start, 1e-9)
            of_all, left = ("", "") if total is None else (f"/{total}", f", {max(total - done, 0) / rate:.0f} s left")
            print(f"{description}: {done}{of_all} ({rate:.1f} {unit}/s{left})", file=sys.stderr)
            last = now
