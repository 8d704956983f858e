"""The file formats that the field publishes its transcripts and annotations in, a small reader for each family.

`recognise` tells by its content what a file is. A file that is named for many videos and is of no known format, or
breaks off, ends the run with a `FormatError` that names the file and the place; a bad part of it is left out and
reported.
"""

import pathlib


class FormatError(ValueError):
    """A file that cannot be used as a whole; the message names it, the place in it, and what to do."""


class UnknownFormatError(FormatError):
    """A sound file of a format that is not known here."""

    def __init__(self, path: pathlib.Path, reason: str) -> None:
        super().__init__(f"{path} {reason}; name another file with --config.data.annotations")
        self.reason = reason
