"""All applications of one pretrained model, measured beside honest baselines: what `make applications` runs."""
