"""Speed: tokens per second, and model FLOP utilisation (MFU) relative to a measured peak.

MFU = model FLOPs of a step (`model/flops.py`: matrix products forward and backward, with padding, without
recomputation) / (seconds of the step x FLOP/s that these devices reach on a plain matrix product).
"""

import functools
import time

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from videobert_jax.training.reporting.goodput import Clock

CALLS = 5  # the fastest is reported


def measure_peak(mesh: Mesh, dtype: str) -> float:
    """Total FLOP/s of the devices of `mesh` on square matrix products of `dtype`.

    All devices run at the same time, so simulated devices that share a processor are not overcounted.
    """
    # Chains several products in one call on accelerators, to hide the time of dispatch.
    size, chain = (1024, 1) if mesh.devices.flat[0].platform == "cpu" else (8192, 8)
    sharding = NamedSharding(mesh, P(mesh.axis_names))
    # This matrix is idempotent, so no number of products overflows.
    init = jax.jit(lambda: jnp.full((mesh.size, size, size), 1 / size, dtype), out_shardings=sharding)

    def power(x: jax.Array) -> jax.Array:
        # Accumulates in float32, as the model and the bfloat16 units of some CPUs do.
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
    """Counts steps and tokens between two readings; excludes time of phases other than step and input."""

    def __init__(self, step_flops: float, peak: float, clock: Clock) -> None:
        self._step_flops, self._peak, self._clock = step_flops, peak, clock  # FLOPs; FLOP/s of all devices
        self._begin()

    def add(self, tokens: float) -> None:
        """Counts a finished step with this number of tokens, without padding."""
        self._steps += 1
        self._tokens += tokens

    def read(self) -> dict[str, float]:
        """Means since the last reading: seconds per step, tokens per second, MFU and input wait, both 0 to 1."""
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
