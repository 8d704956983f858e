"""How fast a run is: tokens per second, and model FLOP utilisation (MFU) against a measured peak.

MFU = FLOPs that the model's formula needs for a step (`model/flops.py`: matrix products forward and backward, padding
included, recomputation excluded) / (seconds of the step x FLOP/s that these devices reach on a plain matrix product).
"""

import functools
import time

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from videobert_jax.training.reporting.goodput import Clock

CALLS = 5  # the fastest counts


def measure_peak(mesh: Mesh, dtype: str) -> float:
    """FLOP/s of all devices of `mesh` together on square matrix products of `dtype`, each device multiplying its own.

    All work at once, so simulated devices that share one processor are not counted as many.
    """
    # An accelerator chains some products in one call, so that it is timed, not its dispatch.
    size, chain = (1024, 1) if mesh.devices.flat[0].platform == "cpu" else (8192, 8)
    sharding = NamedSharding(mesh, P(mesh.axis_names))
    # Every power of this matrix is itself: no overflow, whatever the number of products.
    init = jax.jit(lambda: jnp.full((mesh.size, size, size), 1 / size, dtype), out_shardings=sharding)

    def power(x: jax.Array) -> jax.Array:
        # As in the model: summed in float32, which is what the bfloat16 units of some CPUs do.
        product = functools.partial(jnp.matmul, x, preferred_element_type=jnp.float32)
        return jax.lax.fori_loop(0, chain, lambda _, y: product(y).astype(x.dtype), x)

    multiply = jax.jit(power, out_shardings=sharding)
    matrices = init()
    jax.block_until_ready(multiply(matrices))

    def seconds() -> float:
        start = time.perf_counter()
        jax.block_until_ready(multiply(matrices))
        return time.perf_counter() - start

    return chain * mesh.size * 2 * size**3 / min(seconds() for _ in range(CALLS))


class Meter:
    """Counts steps and tokens between two readings; time that the clock gives to other phases is left out."""

    def __init__(self, step_flops: float, peak: float, clock: Clock) -> None:
        """`step_flops`: model FLOPs of a step; `peak`: FLOP/s of all devices together."""
        self._step_flops, self._peak, self._clock = step_flops, peak, clock
        self._begin()

    def add(self, tokens: float) -> None:
        """Counts a finished step with so many tokens that are no padding."""
        self._steps += 1
        self._tokens += tokens

    def read(self) -> dict[str, float]:
        """Means since the last reading: seconds of a step, tokens per second, MFU and the wait for input (0 to 1)."""
        before, now = self._start, self._clock.read()
        waited = now["input"] - before["input"]
        elapsed = now["step"] - before["step"] + waited
        reading = {
            "seconds": elapsed / self._steps,
            "tokens_per_second": self._tokens / elapsed,
            "mfu": self._steps * self._step_flops / (elapsed * self._peak),
            "input_wait": waited / elapsed,
        }
        self._begin()
        return reading

    def _begin(self) -> None:
        self._start, self._steps, self._tokens = self._clock.read(), 0, 0.0

    def __str__(self) -> str:
        return f"{self._step_flops / 1e9:,.1f} GFLOP a step, {self._peak / 1e9:,.1f} GFLOP/s measured matmul peak"
