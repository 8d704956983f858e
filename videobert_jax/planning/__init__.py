"""What a run would need and cost on a TPU slice, found out without one."""
