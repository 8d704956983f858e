"""Published figures of TPU chips and of the links between them."""

import dataclasses

from videobert_jax.errors import ConfigError

GIB = 2**30
# Minimum latency to the next chip: Austin et al. 2025, "How to Scale Your Model", chapter 2.
HOP_SECONDS = 1e-6


@dataclasses.dataclass(frozen=True)
class Device:
    """A device in the sense of JAX: a chip, or one of two on a chip.

    Attributes:
      name: of the chip, as in a topology such as "v5e:16x16".
      per_chip: devices on one chip.
      flops: peak FLOP/s in bfloat16.
      clock: cycles/s.
      memory: bytes of HBM that a program may use, as the compiler reports when it rejects one.
      bandwidth: of HBM, bytes/s.
      link: to one neighbour in one direction, bytes/s.
      joined: a side of the slice is a ring instead of a line if its length is a multiple of this.
    """

    name: str
    per_chip: int
    flops: float
    clock: float
    memory: int
    bandwidth: float
    link: float
    joined: int


# By `device_kind`. Peak, bandwidth and links are from the pages "TPU v4", "TPU v5e", "TPU v5p", "TPU v6e" and "TPU7x"
# of docs.cloud.google.com/tpu/docs, as of November 2026: figures of a chip divided by its devices; for links, the
# "bidirectional ICI bandwidth" divided by both directions and 4 (v5e, v6e) or 6 neighbours. The clock is not published:
# it is the peak divided by the FLOPs of the matrix units in a cycle, 4 units of 128 x 128 multiply-adds per core up to
# v5p. For v6e and TPU7x we take 4 times as many: the compiler counts 369,000 and 422,000 FLOPs per cycle for a product
# of 8192^3, more than the published 2 units of 256 x 256 could do. `memory` is from libtpu 0.0.42.
DEVICES = {
    "TPU v4": Device("v4", 1, 275e12, 1.049e9, int(30.75 * GIB), 1200e9, 50e9, 4),
    "TPU v5 lite": Device("v5e", 1, 197e12, 1.503e9, int(15.75 * GIB), 819e9, 50e9, 16),
    "TPU v5": Device("v5p", 1, 459e12, 1.751e9, int(95.74 * GIB), 2765e9, 100e9, 4),
    "TPU v6 lite": Device("v6e", 1, 918e12, 1.751e9, int(31.25 * GIB), 1638e9, 100e9, 16),
    "TPU7x": Device("tpu7x", 2, 2307e12 / 2, 2.200e9, int(94.75 * GIB), 7380e9 / 2, 100e9, 4),
}


def device_of(kind: str) -> Device:
    """The device whose `device_kind` is `kind`. Raises ConfigError if its figures are unknown."""
    if kind not in DEVICES:
        known = ", ".join(device.name for device in DEVICES.values())
        raise ConfigError(f"no published figures are known for {kind!r}; plan for one of {known}")
    return DEVICES[kind]
