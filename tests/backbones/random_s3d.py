"""Random weights and clips for S3D from a seed, the same when recording its reference and when testing."""

import numpy as np

FRAMES, HEIGHT, WIDTH = 18, 66, 64  # even, as MIL-NCE's needs; pools meet maps of odd and even lengths on the way


def weights(shapes, seed=0):
    """A state dict of these shapes by names, in which signals neither die nor grow and gates are mostly open."""
    rng = np.random.default_rng(seed)
    ranges = {"weight": (0.55, 1.4), "bias": (-0.2, 0.2), "running_mean": (-0.2, 0.2), "running_var": (0.5, 2.0)}

    def draw(name, shape):
        if name.endswith("num_batches_tracked"):
            return np.zeros(shape, np.int64)
        if len(shape) > 1:
            return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        interval = (1, 5) if name.endswith("fc.bias") else ranges[name.rpartition(".")[2]]
        return rng.uniform(*interval, shape).astype(np.float32)

    return {name: draw(name, shapes[name]) for name in sorted(shapes)}


def clips(seed=1):
    """uint8 [2, FRAMES, HEIGHT, WIDTH, 3]: dark fine noise and bright coarse noise, so that their features differ."""
    rng = np.random.default_rng(seed)
    fine = rng.integers(0, 128, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    coarse = rng.integers(64, 256, (FRAMES // 3, HEIGHT // 11, WIDTH // 8, 3), dtype=np.uint8)
    return np.stack([fine, coarse.repeat(3, axis=0).repeat(11, axis=1).repeat(8, axis=2)])
