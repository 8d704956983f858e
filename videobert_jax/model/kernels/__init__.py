"""Optimised operations with custom gradients, and their partitioning over a mesh."""
