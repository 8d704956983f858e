"""Readers for published formats of transcripts and annotations.

A file for many videos that is truncated or has no known format ends the run with a `FormatError`, which names the file
and the place; an invalid entry is left out and reported.
"""
