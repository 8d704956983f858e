"""Weights from and to the libraries of others."""
