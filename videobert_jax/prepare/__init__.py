"""Offline preparation: turns videos and transcripts into records, once."""
