"""Objectives: pure functions of outputs and batch that return sums and counts."""
