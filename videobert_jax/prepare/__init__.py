"""Once, offline: videos and transcripts to records."""
