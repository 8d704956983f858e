"""What Google publishes about its TPU chips, and how the chips of a slice are joined."""

import dataclasses

from videobert_jax.errors import ConfigError

GIB = 2**30
# To the next chip, however little is sent: Austin et al. 2025, "How to Scale Your Model", chapter 2.
HOP_SECONDS = 1e-6


@dataclasses.dataclass(frozen=True)
class Device:
    """What JAX calls a device: a whole chip, or one of two on it.

    Attributes:
      name: of the chip, as in the name of a topology, "v5e:16x16".
      per_chip: devices on one chip.
      flops: peak FLOP/s in bfloat16.
      clock: cycles/s.
      memory: bytes of HBM that a program may use, as the compiler says when it refuses one.
      bandwidth: of HBM, bytes/s.
      link: to one neighbour in one direction, bytes/s.
      joined: a side of the slice is a ring, not a line, where its length is a multiple of this.
    """

    name: str
    per_chip: int
    flops: float
    clock: float
    memory: int
    bandwidth: float
    link: float
    joined: int


# By `device_kind`. Peak, bandwidth and links are those of the pages "TPU v4", "TPU v5e", "TPU v5p", "TPU v6e" and
# "TPU7x" of docs.cloud.google.com/tpu/docs, read in November 2026: figures of a chip over its devices, links from the
# "bidirectional ICI bandwidth" over both directions and 4 (v5e, v6e) or 6 neighbours. No clock is published there: it
# is the peak over what the matrix units do in a cycle, 4 units of 128 x 128 multiply-adds a core up to v5p. For v6e and
# TPU7x it is 4 times that: the compiler counts 369,000 and 422,000 FLOPs a cycle for a product of 8192^3, more than the
# 2 units of 256 x 256 of those pages could do. `memory` was asked of libtpu 0.0.42.
DEVICES = {
    "TPU v4": Device("v4", 1, 275e12, 1.049e9, int(30.75 * GIB), 1200e9, 50e9, 4),
    "TPU v5 lite": Device("v5e", 1, 197e12, 1.503e9, int(15.75 * GIB), 819e9, 50e9, 16),
    "TPU v5": Device("v5p", 1, 459e12, 1.751e9, int(95.74 * GIB), 2765e9, 100e9, 4),
    "TPU v6 lite": Device("v6e", 1, 918e12, 1.751e9, int(31.25 * GIB), 1638e9, 100e9, 16),
    "TPU7x": Device("tpu7x", 2, 2307e12 / 2, 2.200e9, int(94.75 * GIB), 7380e9 / 2, 100e9, 4),
}


def device_of(kind: str) -> Device:
    """The device whose `device_kind` is `kind`. Raises ConfigError if there are no figures for it."""
    if kind not in DEVICES:
        known = ", ".join(device.name for device in DEVICES.values())
        raise ConfigError(f"no published figures are known for {kind!r}; plan for one of {known}")
    return DEVICES[kind]
