"""Metrics: pure functions over NumPy arrays, each of which states its rule for ties and for what never occurs.

A metric that is a mean over examples is given as a value per example or as a `Mean`, a sum and a count, so that batches
and processes can be added. It is NaN for an example for which it is not defined; such examples are not counted.
"""
