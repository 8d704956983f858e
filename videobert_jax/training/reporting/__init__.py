"""What a run tells: metrics, speed, goodput, traces, and what went wrong."""
