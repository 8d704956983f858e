"""Predicts the memory and time of a run on a TPU slice, without a TPU."""
