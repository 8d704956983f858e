"""Masked prediction and alignment on held-out batches, which are drawn as those of training are."""

from collections.abc import Callable, Iterable

import numpy as np

from videobert_jax.data.packing import Batch
from videobert_jax.objectives.objective import Metrics


def measure(metrics: Callable[[Batch], Metrics], batches: Iterable[Batch]) -> dict[str, float]:
    """The mean of every metric over all batches together; one without any example is left out.

    Aligned and misaligned pairs are as frequent as `config.data.misaligned` makes them: equally, by default, so that
    guessing is right half of the time.
    """
    totals: dict[str, np.ndarray] = {}
    for batch in batches:
        for name, pair in metrics(batch).items():
            totals[name] = totals.get(name, 0) + np.asarray(pair, np.float64)
    return {name: float(total / count) for name, (total, count) in totals.items() if count}
