"""What people have said of videos: splits, captions, labels, questions, in the formats that are published.

A file for many videos that is truncated or has no known format ends the run with a `FormatError`, which names the file
and the place; an invalid entry is left out and reported.
"""
