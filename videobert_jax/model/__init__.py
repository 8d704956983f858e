"""The network: Linen modules, and what their products cost."""
