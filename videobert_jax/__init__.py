"""VideoBERT (Sun et al., ICCV 2019) in JAX: from raw video and transcripts to a pretrained joint model."""
