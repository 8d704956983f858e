"""Transcripts to timed words and sentences."""
