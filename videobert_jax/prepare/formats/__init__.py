"""The file formats that the field publishes its transcripts and annotations in, a small reader for each family.

`recognise` tells by its content what a file is. A file that is named for many videos and is of no known format, or
breaks off, ends the run with a `FormatError` that names the file and the place; a bad part of it is left out and
reported.
"""
