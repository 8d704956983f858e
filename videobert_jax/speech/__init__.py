"""Transcripts to words with times, and to sentences."""
