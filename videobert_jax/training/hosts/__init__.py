"""The processes of a run: joining, interruption, hang detection and shutdown."""
