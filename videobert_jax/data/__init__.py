"""The input pipeline: turns records into batches every step, with NumPy and Grain, never JAX."""
