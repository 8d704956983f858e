"""The output of a run: metrics, speed, goodput, traces and failure reports."""
