"""Scores of predictions, in NumPy: pure functions that say what they do with ties and with what never occurs."""
