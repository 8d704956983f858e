"""What is learnt: pure functions of outputs and batch, giving sums and counts."""
