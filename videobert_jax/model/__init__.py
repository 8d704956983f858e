"""The network: Linen modules and their FLOPs."""
