"""Training, from prepared records to a trained state; start reading at `loop.py`."""
