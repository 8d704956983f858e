"""The visual vocabulary: hierarchical k-means over clip features (VideoBERT section 3.1)."""
