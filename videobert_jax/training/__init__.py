"""From prepared records to a trained state: see `loop.py`, which calls everything else."""
