"""What a trained model is worth: zero-shot answers, held-out accuracy, and a report to look at."""
