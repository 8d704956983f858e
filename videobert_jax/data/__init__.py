"""What happens every step: records to batches, with NumPy and Grain, never JAX."""
